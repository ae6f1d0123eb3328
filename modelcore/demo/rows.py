"""Training rows in Alpaca's format, with instructions worded as WizardCoder's template words a benchmark's.

That template writes "Create a Python script for this problem:" and the prompt with a tab for every four
spaces (WizardCoder's humaneval_gen.py). A model this small only handles prompts like those it was trained on,
so training rows are worded alike. The answer is a fenced block with four spaces.
"""

from __future__ import annotations

import random

from modelcore.demo.problems import draw_example
from modelcore.demo.program import Program

__all__ = ["fenced", "instruction", "row", "unfenced"]

_OPEN, _CLOSE = "```python\n", "```"


def instruction(prompt: str) -> str:
    """Return the instruction that asks to complete a benchmark's prompt."""
    tabbed = prompt.replace("    ", "\t")
    return f"Create a Python script for this problem:\n{tabbed}"


def fenced(source: str) -> str:
    """Return the answer that holds `source`."""
    return f"{_OPEN}{source}{_CLOSE}"


def unfenced(output: str) -> str:
    """Return the source in an answer of `fenced`."""
    return output.removeprefix(_OPEN).removesuffix(_CLOSE)


def row(program: Program, random_source: random.Random) -> dict[str, str]:
    """Return the training row of `program`."""
    prompt = program.prompt(draw_example(program, random_source))
    return {"instruction": instruction(prompt), "input": "", "output": fenced(program.source())}
