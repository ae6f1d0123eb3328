"""The program that generates: `python -m modelcore.generation.program plan.json`.

Writes the plan's output when all responses are there. Until then finished responses are in a journal beside
it, from which a killed run resumes. The same plan gives the same bytes. Exit code 0 when done, 2 with one
line on stderr for bad input.

With `model_parallel` this is the program of each of as many ranks (`ranks.py`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from modelcore.errors import MindrailError
from modelcore.generation.engine import Engine, Finished
from modelcore.generation.memory import check_memory
from modelcore.generation.plan import GenerationPlan, Prompt, read_plan, read_prompts
from modelcore.generation.prompt_ids import check_prompt, cut_prompt, encode_all, infill_form
from modelcore.generation.ranks import join_ranks, own_rank
from modelcore.generation.request import Request
from modelcore.generation.responses import Response, write_responses
from modelcore.generation.sampling import Sampling
from modelcore.generation.slices import rank_tensors
from modelcore.generation.weight_type import weight_type
from modelcore.launching.rank_environment import supervised_progress
from modelcore.launching.rank_exit import exit_rank
from modelcore.models.families import read_model
from modelcore.models.graph_cache import Sources, compiled_graphs
from modelcore.models.model import Model
from modelcore.parallel.mesh import Layout
from modelcore.progress import Progress, silent
from modelcore.store.journal import Journal, read_journal

if TYPE_CHECKING:
    from modelcore.generation.decoder import Decoder
    from modelcore.parallel.collectives import TensorGroup

__all__ = ["end_ids", "generate", "load_decoder"]

_REPORT_EVERY = 0.5  # seconds between two reports of progress
_DRAFTED = 8  # tokens that one step reads in all, guesses among them; so few take hardly longer than one


def generate(plan: GenerationPlan, progress: Progress = silent) -> None:
    """Write the responses of `plan`.

    Args:
        plan: the job.
        progress: gets the tokens generated; a response that ends early lowers the total.

    Raises:
        MindrailError: checkpoint, tokenizer or prompts do not fit each other.
    """
    checkpoint, output, first = Path(plan.checkpoint), Path(plan.output), own_rank() == 0
    prompts = read_prompts(Path(plan.prompts))
    model, tokenizer = read_model(checkpoint), load_tokenizer(checkpoint)
    model.partition(Layout(model_parallel=plan.model_parallel))  # refused before any rank waits for another
    requests, cut = _requests(plan, prompts, tokenizer, model)
    journal_path = output.with_name(output.name + ".journal")
    subject = {"fingerprint": plan.fingerprint()}
    finished = _by_request(Response(**row) for row in read_journal(journal_path, subject))
    missing = [request for request in requests if (request.task_id, request.sample) not in finished]
    if missing:
        longest = max(len(request.ids) for request in requests) + plan.max_new_tokens
        length = min(longest, model.config.max_positions)
        tensor = join_ranks(plan.model_parallel) if plan.model_parallel > 1 else None
        progress(0, len(missing) * plan.max_new_tokens, "tokens", "loading and compiling")
        slots = min(plan.batch_size, len(requests))
        decoder = load_decoder(model, checkpoint, plan.precision, slots=slots, length=length, tensor=tensor)
        engine = Engine(decoder, tokenizer, end_ids(tokenizer, model))
        # Every rank has read the journal by now: they have computed together.
        opened = Journal(journal_path, map(asdict, finished.values()), subject=subject) if first else None
        with opened or nullcontext() as journal:
            finished |= _by_request(_answer(engine, missing, cut, journal, progress))
    if not first:
        return
    responses = [finished[request.task_id, request.sample] for request in requests]
    write_responses(output, responses, details=plan.details)
    journal_path.unlink(missing_ok=True)


def _by_request(responses: Iterable[Response]) -> dict[tuple[str, int], Response]:
    return {(response.task_id, response.sample): response for response in responses}


def _requests(
    plan: GenerationPlan, prompts: Sequence[Prompt], tokenizer: Tokenizer, model: Model
) -> tuple[list[Request], dict[str, int]]:
    """Return the requests, and of each cut prompt how many tokens it lost."""
    requests: list[Request] = []
    cut: dict[str, int] = {}
    ends = _infill_ends(tokenizer) if any(prompt.suffix is not None for prompt in prompts) else frozenset()
    for prompt, encoded in zip(prompts, encode_all(tokenizer, prompts, bos=plan.bos), strict=True):
        ids, lost = cut_prompt(encoded, model, plan, bos=plan.bos)
        check_prompt(ids, model, where=f"{plan.prompts}: {prompt.task_id}")
        if lost:
            cut[prompt.task_id] = lost
        requests += [
            Request(
                prompt.task_id,
                sample,
                ids,
                _sampling(plan),
                stops=tuple(plan.stops),
                stop_ids=frozenset() if prompt.suffix is None else ends,
            )
            for sample in range(plan.samples)
        ]
    return requests, cut


def _sampling(plan: GenerationPlan) -> Sampling:
    return Sampling(
        max_new_tokens=plan.max_new_tokens,
        min_new_tokens=plan.min_new_tokens,
        temperature=plan.temperature,
        top_k=plan.top_k,
        top_p=plan.top_p,
        repetition_penalty=plan.repetition_penalty,
        seed=plan.seed,
    )


def _infill_ends(tokenizer: Tokenizer) -> frozenset[int]:
    end = tokenizer.token_id(infill_form(tokenizer).end)
    return frozenset() if end is None else frozenset({end})


def end_ids(tokenizer: Tokenizer, model: Model) -> frozenset[int]:
    """Return the tokens that end every answer of a model."""
    return frozenset(end for end in (model.config.eos_id, tokenizer.eos_id) if end is not None)


def load_decoder(
    model: Model,
    checkpoint: Path,
    precision: str,
    *,
    slots: int,
    length: int,
    tensor: TensorGroup | None = None,
) -> Decoder:
    """Return the model with its weights, for `slots` sequences of up to `length` tokens.

    Args:
        model: of the checkpoint's config.json.
        checkpoint: a MindSpore directory, whole or sharded.
        precision: as of `Decoding`.
        slots: sequences side by side.
        length: tokens of a sequence.
        tensor: the ranks that share each layer; None for this process alone.

    Raises:
        MindrailError: it does not fit into memory, or the checkpoint is not the model's.
    """
    tensors = rank_tensors(checkpoint, model, 0, 1)  # of all ranks: they share this machine's memory
    matrices = weight_type(precision, tensors)
    width = max(1, _DRAFTED // slots)
    check_memory(model, matrices, slots=slots, length=length, width=width)
    sources = Sources(("models", "parallel", "generation"))
    # Imported here: input is checked before the seconds that MindSpore takes to start.
    import mindspore

    from modelcore.generation.decoder import Decoder

    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    prompts = -(-slots // 4)
    make = partial(
        Decoder,
        model,
        checkpoint,
        slots=slots,
        length=length,
        prompts=prompts,
        width=width,
        matrices=matrices,
    )
    if tensor is not None:
        return make(tensor=tensor)
    facts = {
        "family": model.family.name,
        "config": asdict(model.config),
        "matrices": matrices.name,
        "slots": slots,
        "length": length,
        "prompts": prompts,
        "width": width,
    }
    with compiled_graphs(facts, sources):
        return make()


def _answer(
    engine: Engine,
    requests: Sequence[Request],
    cut: Mapping[str, int],
    journal: Journal | None,
    progress: Progress,
) -> Iterator[Response]:
    """Yield the responses as they finish, each in the journal before; without one, another rank keeps it."""
    left, spent, reported, began = len(requests), 0, 0.0, dict[Request, float]()
    most = requests[0].sampling.max_new_tokens
    for request in requests:
        engine.submit(request)
    while engine.busy:
        before = time.monotonic()
        finished: list[Finished] = []
        for addition in engine.step():
            began.setdefault(addition.request, before)
            if addition.finished is not None:
                finished.append(addition.finished)
        for one in finished:
            response = _response(one, time.monotonic() - began.pop(one.request), cut)
            if journal is not None:
                journal.append(asdict(response))
            left, spent = left - 1, spent + one.tokens
            yield response
        if finished or time.monotonic() - reported > _REPORT_EVERY:
            reported = time.monotonic()
            note = f"{len(requests) - left} of {len(requests)} responses"
            if cut:
                note += f", {len(cut)} prompts cut from the left"
            progress(engine.generated, max(spent + left * most, engine.generated), "tokens", note)


def _response(one: Finished, seconds: float, cut: Mapping[str, int]) -> Response:
    request = one.request
    return Response(
        request.task_id,
        request.sample,
        one.text,
        one.finish,
        one.tokens,
        round(seconds, 3),
        cut.get(request.task_id, 0),
    )


def main(arguments: Sequence[str]) -> int:
    """Run the plan whose path is the only argument; return the exit code."""
    os.environ.setdefault("GLOG_v", "3")  # MindSpore's warnings are not about the user's input
    try:
        generate(read_plan(Path(arguments[0])), supervised_progress())
    except MindrailError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    exit_rank(main(sys.argv[1:]))
