"""The responses of a model: their record, and the file in which they are handed on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
        tokens: generated for it.
        seconds: from the call of the model that began it to the one that ended it.
        prompt_cut: tokens that were cut from the left of the prompt.
    """

    task_id: str
    sample: int
    response: str
    finish: str
    tokens: int = 0
    seconds: float = 0.0
    prompt_cut: int = 0

    def row(self, *, details: bool) -> dict[str, Any]:
        """Return the record: a cut prompt is always reported, tokens and seconds with `details`."""
        left_out = set() if details else {"tokens", "seconds"}
        if not self.prompt_cut:
            left_out.add("prompt_cut")
        return {name: value for name, value in asdict(self).items() if name not in left_out}


def write_responses(output: Path, responses: Iterable[Response], *, details: bool = False) -> None:
    """Write the responses as JSON lines; the file appears when it is complete."""
    lines = (json.dumps(response.row(details=details)) + "\n" for response in responses)
    replace_contents(output, "".join(lines).encode("ascii"))
