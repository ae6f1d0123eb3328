"""The responses of a model: their record, and the file in which they are handed on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from modelcore.store.durable import replace_contents

__all__ = ["Response", "write_responses"]


@dataclass(frozen=True)
class Response:
    """What a model answered.

    Attributes:
        task_id: of the prompt.
        sample: 0 … samples - 1.
        response: the text.
        finish: "eos", "stop", or "length" when it was cut.
    """

    task_id: str
    sample: int
    response: str
    finish: str


def write_responses(output: Path, responses: Iterable[Response]) -> None:
    """Write the responses as JSON lines; the file appears when it is complete."""
    lines = (json.dumps(asdict(response)) + "\n" for response in responses)
    replace_contents(output, "".join(lines).encode("ascii"))
