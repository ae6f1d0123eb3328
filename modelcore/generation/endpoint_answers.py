"""Answers to many prompts from an OpenAI-compatible server: several at once, each in a journal at once.

A run that is killed, or whose server goes away, resumes at the prompts that have no answer. Stops are cut
here as well: not every server knows them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modelcore.config.evaluation import Decoding
from modelcore.generation.endpoint import Endpoint, EndpointClient, Reply
from modelcore.generation.plan import Prompt
from modelcore.generation.responses import Response, write_responses
from modelcore.progress import Progress, silent
from modelcore.store.journal import Journal, read_journal

__all__ = ["answer_prompts"]

_FINISH = {"length": "length", "stop": "eos"}


def answer_prompts(
    client: EndpointClient,
    endpoint: Endpoint,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    output: Path,
    *,
    stops: Sequence[str],
    seed: int,
    progress: Progress = silent,
) -> None:
    """Write the responses to all prompts, in the form of `GenerationPlan.output`.

    Args:
        client: of the endpoint's server.
        endpoint: who answers.
        prompts: texts to continue; none has a gap.
        decoding: how; `batch_size` requests are under way at once.
        output: appears when all responses are there; until then they are in a journal beside it.
        stops: texts before which a response ends.
        seed: of sampled responses.
        progress: gets the responses.

    Raises:
        MindrailError, StepFailed: as of `EndpointClient.ask`; what was answered before is kept.
    """
    wanted = [(prompt, sample) for prompt in prompts for sample in range(decoding.samples)]
    bodies = {
        (prompt.task_id, sample): _body(endpoint, prompt, sample, decoding, stops, seed)
        for prompt, sample in wanted
    }
    journal_path = output.with_name(output.name + ".journal")
    subject = {"fingerprint": _fingerprint(endpoint, bodies)}
    done = {(row["task_id"], row["sample"]): Response(**row) for row in read_journal(journal_path, subject)}
    with Journal(journal_path, map(asdict, done.values()), subject=subject) as journal:
        missing = [key for key in bodies if key not in done]
        progress(len(done), len(bodies), "responses", endpoint.model)
        path = "/chat/completions" if endpoint.chat else "/completions"
        with ThreadPoolExecutor(decoding.batch_size) as pool:
            futures = {pool.submit(client.ask, path, bodies[key]): key for key in missing}
            for key, reply in _as_they_come(futures, client):
                done[key] = _response(key, reply, stops)
                journal.append(asdict(done[key]))
                progress(len(done), len(bodies), "responses", endpoint.model)
    write_responses(output, [done[key] for key in bodies])
    journal_path.unlink(missing_ok=True)


def _as_they_come(
    futures: dict[Future[Reply], tuple[str, int]], client: EndpointClient
) -> Iterator[tuple[tuple[str, int], Reply]]:
    """Yield keys with their replies; after an error only those that are under way, and then the error."""
    failure: BaseException | None = None
    left = set(futures)
    try:
        while left:
            finished, left = wait(left, return_when=FIRST_COMPLETED)
            for future in finished:
                if future.cancelled():
                    continue
                error = future.exception()
                if error is None:
                    yield futures[future], future.result()
                elif failure is None:
                    failure = error
                    client.ended.set()
                    for other in left:
                        other.cancel()
    finally:
        client.ended.set()
        for future in left:
            future.cancel()
    if failure is not None:
        raise failure


def _body(
    endpoint: Endpoint, prompt: Prompt, sample: int, decoding: Decoding, stops: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return a request; defaults are left out, since servers differ in what they know."""
    body: dict[str, Any] = {"model": endpoint.model, "max_tokens": decoding.max_new_tokens}
    body |= {"temperature": decoding.temperature}
    if endpoint.chat:
        body["messages"] = [{"role": "user", "content": prompt.text}]
    else:
        body["prompt"] = prompt.text
    if stops:
        body["stop"] = list(stops)
    if decoding.temperature:
        name = hashlib.sha256(f"{seed}\0{prompt.task_id}\0{sample}".encode()).digest()
        body |= {"top_p": decoding.top_p, "seed": int.from_bytes(name[:4], "big") >> 1}
    names = {"top_k": "top_k", "repetition_penalty": "repetition_penalty", "min_new_tokens": "min_tokens"}
    changed = decoding.changed_options()
    return body | {theirs: changed[ours] for ours, theirs in names.items() if ours in changed}


def _fingerprint(endpoint: Endpoint, bodies: dict[tuple[str, int], dict[str, Any]]) -> str:
    asked = json.dumps([asdict(endpoint), [[*key, body] for key, body in bodies.items()]], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def _response(key: tuple[str, int], reply: Reply, stops: Sequence[str]) -> Response:
    task_id, sample = key
    starts = [start for stop in stops if stop and (start := reply.text.find(stop)) >= 0]
    if starts:
        return Response(task_id, sample, reply.text[: min(starts)], "stop", reply.tokens)
    return Response(task_id, sample, reply.text, _FINISH.get(reply.finish, "eos"), reply.tokens)
