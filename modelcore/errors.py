"""The two errors that a user may see, and what each means for exit codes and retries.

A bug is neither: its own exception is raised and keeps its traceback.
"""

from __future__ import annotations

__all__ = ["MindrailError", "StepFailed", "one_line"]


class MindrailError(Exception):
    """Bad input: something that the user provided is wrong, and running again will not help.

    Args:
        what: what is wrong, in a few words, with the value found and the value expected.
        where: the file, key, tensor or record it was found in; printed first.
        fix: what to do about it; printed last.

    Example:
        >>> str(MindrailError("14 layers, 12 in config.json", where="model.ckpt", fix="check the config"))
        'model.ckpt: 14 layers, 12 in config.json; check the config'
    """

    exit_code = 2

    def __init__(self, what: str, *, where: object = "", fix: str = "") -> None:
        place = f"{where}: " if str(where) else ""
        remedy = f"; {fix}" if fix else ""
        super().__init__(one_line(f"{place}{what}{remedy}"))


class StepFailed(MindrailError):
    """The input was good but the work failed: a rank died, a server did not answer, a disk was full.

    A retry is worthwhile: the step resumes where it was.
    """

    exit_code = 1


def one_line(text: str) -> str:
    """Return `text` on one line, safe to print: control characters and lone surrogates escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
