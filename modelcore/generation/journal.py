"""The responses finished so far, kept beside the output while it is made, so that a killed run goes on.

One JSON line a response in the order they finish. A line cut short by the kill is dropped. The first line
names what they are responses to; a journal of another job is begun anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

__all__ = ["Journal", "Response", "write_responses"]


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


class Journal:
    """A context manager over the journal of `output`; `finished` holds what it had.

    Args:
        output: the file that is being made.
        fingerprint: of the job.
    """

    def __init__(self, output: Path, fingerprint: str) -> None:
        self.path = output.with_name(output.name + ".journal")
        self.finished: dict[tuple[str, int], Response] = {}
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        header = json.dumps({"fingerprint": fingerprint}).encode()
        kept = lines[1:] if lines[:1] == [header] else []
        for line in kept:
            self._note(Response(**json.loads(line)))
        scratch = self.path.with_name(self.path.name + ".new")
        scratch.write_bytes(b"".join(line + b"\n" for line in (header, *kept)))
        scratch.replace(self.path)
        self._file = self.path.open("a", encoding="ascii")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, response: Response) -> None:
        """Keep a finished response."""
        self._note(response)
        self._file.write(json.dumps(asdict(response)) + "\n")
        self._file.flush()

    def _note(self, response: Response) -> None:
        self.finished[response.task_id, response.sample] = response


def write_responses(output: Path, responses: Iterable[Response]) -> None:
    """Write the output whole, by rename."""
    scratch = output.with_name(output.name + ".new")
    scratch.write_text(
        "".join(json.dumps(asdict(response)) + "\n" for response in responses), encoding="ascii"
    )
    scratch.replace(output)
