"""The program that generates: `python -m modelcore.generation.program plan.json`.

Writes the plan's output when all responses are there. Until then finished responses are in a journal beside
it, from which a killed run resumes. The same plan gives the same bytes. Exit code 0 when done, 2 with one
line on stderr for bad input.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from modelcore.errors import MindrailError
from modelcore.generation.engine import Drawing, Engine, Request
from modelcore.generation.plan import GenerationPlan, Prompt, read_plan, read_prompts
from modelcore.generation.responses import Response, write_responses
from modelcore.generation.stopping import Ending
from modelcore.generation.weight_type import weight_type
from modelcore.models.families import read_model
from modelcore.models.model import Model
from modelcore.progress import FileProgress, Progress, silent
from modelcore.store.journal import Journal, read_journal
from modelcore.weights.checkpoint import open_checkpoint

if TYPE_CHECKING:
    from modelcore.generation.decoder import Decoder

__all__ = ["check_prompt", "encode_prompts", "generate"]

_REPORT_EVERY = 0.5  # seconds between two reports of progress


def generate(plan: GenerationPlan, progress: Progress = silent) -> None:
    """Write the responses of `plan`.

    Args:
        plan: the job.
        progress: gets the tokens generated; a response that ends early lowers the total.

    Raises:
        MindrailError: checkpoint, tokenizer or prompts do not fit each other.
    """
    checkpoint, output = Path(plan.checkpoint), Path(plan.output)
    prompts = read_prompts(Path(plan.prompts))
    model, tokenizer = read_model(checkpoint), load_tokenizer(checkpoint)
    requests = _requests(plan, prompts, tokenizer, model)
    longest = max(len(request.ids) for request in requests) + plan.max_new_tokens
    length = min(longest, model.config.max_positions)
    journal_path = output.with_name(output.name + ".journal")
    subject = {"fingerprint": plan.fingerprint()}
    finished = _by_request(Response(**row) for row in read_journal(journal_path, subject))
    missing = [request for request in requests if (request.task_id, request.sample) not in finished]
    if missing:
        progress(0, len(missing) * plan.max_new_tokens, "tokens", "loading and compiling")
        decoder = _load(model, plan, min(plan.batch_size, len(requests)), length)
        engine = Engine(decoder, _ending(plan, tokenizer, model), _drawing(plan))
        with Journal(journal_path, map(asdict, finished.values()), subject=subject) as journal:
            finished |= _by_request(_answer(engine, missing, plan, journal, progress))
    write_responses(output, [finished[request.task_id, request.sample] for request in requests])
    journal_path.unlink(missing_ok=True)


def _by_request(responses: Iterable[Response]) -> dict[tuple[str, int], Response]:
    return {(response.task_id, response.sample): response for response in responses}


def _requests(
    plan: GenerationPlan, prompts: Sequence[Prompt], tokenizer: Tokenizer, model: Model
) -> list[Request]:
    encoded = encode_prompts(tokenizer, [prompt.text for prompt in prompts], bos=plan.bos)
    for prompt, ids in zip(prompts, encoded, strict=True):
        check_prompt(ids, model, where=f"{plan.prompts}: {prompt.task_id}")
    return [
        Request(prompt.task_id, sample, ids)
        for prompt, ids in zip(prompts, encoded, strict=True)
        for sample in range(plan.samples)
    ]


def encode_prompts(tokenizer: Tokenizer, texts: Sequence[str], *, bos: bool) -> list[list[int]]:
    """Return the ids of prompts; with `bos` each begins with BOS, once, even where its text spells it out."""
    encoded = tokenizer.encode_batch(texts, bos=bos)
    return [ids[1:] if bos and ids[1:2] == ids[:1] else ids for ids in encoded]


def check_prompt(ids: Sequence[int], model: Model, *, where: str) -> None:
    """Check that a model can continue a prompt.

    Args:
        ids: its tokens.
        model: of the checkpoint.
        where: names the prompt in the error.

    Raises:
        MindrailError: it is empty, as long as the model's context, or has a token the model does not know.
    """
    config = model.config
    if not ids:
        raise MindrailError("the prompt is empty", where=where)
    if len(ids) >= config.max_positions:
        raise MindrailError(
            f"the prompt has {len(ids)} tokens, the model's context is {config.max_positions}", where=where
        )
    if max(ids) >= config.vocab_size:
        raise MindrailError(
            f"token {max(ids)} of the prompt is outside the model's {config.vocab_size} embedding rows",
            where=where,
            fix="use the tokenizer the model was trained with",
        )


def _load(model: Model, plan: GenerationPlan, slots: int, length: int) -> Decoder:
    # Imported here: input is checked before the seconds that MindSpore takes to start.
    import mindspore

    from modelcore.generation.decoder import Decoder

    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    return Decoder(
        model,
        Path(plan.checkpoint),
        slots=slots,
        length=length,
        prompts=-(-slots // 4),
        matrices=weight_type(plan.precision, open_checkpoint(Path(plan.checkpoint)).tensors),
    )


def _ending(plan: GenerationPlan, tokenizer: Tokenizer, model: Model) -> Ending:
    ends = {model.config.eos_id, tokenizer.eos_id} - {None}
    return Ending(tokenizer, frozenset(end for end in ends if end is not None), plan.stops)


def _drawing(plan: GenerationPlan) -> Drawing:
    return Drawing(plan.max_new_tokens, plan.temperature, plan.top_p, plan.seed)


def _answer(
    engine: Engine, requests: Sequence[Request], plan: GenerationPlan, journal: Journal, progress: Progress
) -> Iterator[Response]:
    """Yield the responses as they finish, each in the journal before."""
    left, spent, reported = len(requests), 0, 0.0
    for finished in engine.run(requests):
        for one in finished:
            response = Response(one.request.task_id, one.request.sample, one.text, one.finish)
            journal.append(asdict(response))
            left, spent = left - 1, spent + one.tokens
            yield response
        if finished or time.monotonic() - reported > _REPORT_EVERY:
            reported = time.monotonic()
            note = f"{len(requests) - left} of {len(requests)} responses"
            progress(
                engine.generated, max(spent + left * plan.max_new_tokens, engine.generated), "tokens", note
            )


def main(arguments: Sequence[str]) -> int:
    """Run the plan whose path is the only argument; return the exit code."""
    os.environ.setdefault("GLOG_v", "3")  # MindSpore's warnings are not about the user's input
    progress = (
        FileProgress(Path(os.environ["MINDRAIL_PROGRESS"])) if "MINDRAIL_PROGRESS" in os.environ else silent
    )
    try:
        generate(read_plan(Path(arguments[0])), progress)
    except MindrailError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
