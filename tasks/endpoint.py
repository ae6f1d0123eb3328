"""A model on an OpenAI-compatible server as a step: it stands and answers where a checkpoint would."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from modelcore.config.evaluation import Generate
from modelcore.errors import MindrailError
from modelcore.generation.endpoint import Endpoint, EndpointClient
from modelcore.generation.endpoint_answers import answer_prompts
from modelcore.generation.plan import Prompt
from modelcore.progress import Progress
from modelcore.store.store import Store
from tasks.secret import secret_value
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["KEY", "answer_by_endpoint", "endpoint", "endpoint_of"]

KEY = "MINDRAIL_ENDPOINT_KEY"
"""The environment variable with the key of the server, where no Prefect Secret is named."""

_VERSION = 1


@step_task("endpoint", retries=2, delays=(5.0, 30.0))
def endpoint(store: Store, config: Generate) -> Outcome:
    """Record which model on which server answers; the answers depend on these two names.

    Args:
        store: holds the artifacts.
        config: names the server.
    """
    asked = endpoint_of(config)
    facts = asdict(asked)

    def build(directory: Path, _: Progress) -> None:
        (directory / "endpoint.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    return build_step(
        store,
        "endpoint",
        build,
        version=_VERSION,
        inputs={},
        parameters=facts,
        recorded={"source": asked.model},
    )


def endpoint_of(config: Generate) -> Endpoint:
    """Return the server and the model; where no model is named, the server is asked for its only one.

    Raises:
        MindrailError: it serves several models, or is no such server; or there is no Secret of that name.
        StepFailed: it does not answer.
    """
    with _client(config) as client:
        model = client.model(config.endpoint_model)
    return Endpoint(_url(config), model, config.endpoint_chat)


def answer_by_endpoint(
    asked: Endpoint,
    config: Generate,
    prompts: list[dict[str, str]],
    output: Path,
    *,
    stops: tuple[str, ...],
    seed: int,
    progress: Progress,
) -> None:
    """Write the responses to `prompts`; arguments and errors as of `answer_prompts`."""
    rows = [Prompt(row["task_id"], row["prompt"]) for row in prompts]
    with _client(config) as client:
        answer_prompts(client, asked, rows, config, output, stops=stops, seed=seed, progress=progress)


def _client(config: Generate) -> EndpointClient:
    secret = secret_value(config.endpoint_secret, key="generate.endpoint_secret")
    key = (secret if secret is not None else os.environ.get(KEY, "")).strip()
    if not key.isascii() or not key.isprintable():
        raise MindrailError("a key has letters, digits and signs of ASCII alone", where=KEY, fix="correct it")
    return EndpointClient(_url(config), key=key or None, timeout=config.endpoint_timeout)


def _url(config: Generate) -> str:
    assert config.endpoint is not None
    return config.endpoint.rstrip("/")
