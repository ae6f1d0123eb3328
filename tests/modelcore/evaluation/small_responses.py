"""Answers to HumanEval in the forms in which WizardCoder writes them, each with the verdict it must get."""

from __future__ import annotations

from typing import NamedTuple

HERE = "Here's the Python script for the problem:\r\n\r\n"


class Answer(NamedTuple):
    """A raw response to one problem, and its verdict (`modelcore.sandbox.verdicts`)."""

    task_id: str
    response: str
    verdict: str


ANSWERS = [
    # The usual form: text, a fenced block that repeats the signature, text; Windows line ends.
    Answer(
        "HumanEval/45",
        HERE
        + '```python\r\ndef triangle_area(a, h):\r\n    """Area."""\r\n    return 0.5 * a * h\r\n\r\n```\r\n'
        "\r\nThe `triangle_area` function takes two arguments.",
        "passed",
    ),
    # Plausible and wrong: only neighbours are compared.
    Answer(
        "HumanEval/0",
        HERE + "```python\r\ndef has_close_elements(numbers, threshold):\r\n"
        "    return any(abs(a - b) < threshold for a, b in zip(numbers, numbers[1:]))\r\n```",
        "failed",
    ),
    # Tabs, and an import that only the prompt brings.
    Answer(
        "HumanEval/28",
        "```python\n\ndef concatenate(strings: List[str]) -> str:\n\treturn ''.join(strings)\n```",
        "passed",
    ),
    # A demonstration that would fail if it ran.
    Answer(
        "HumanEval/53",
        "```python\ndef add(x, y):\n    return x + y\n\n"
        'if __name__ == "__main__":\n    raise SystemExit(1)\n```',
        "passed",
    ),
    Answer(
        "HumanEval/23",
        "```python\ndef strlen(string):\n    return len(string)\n\n"
        "# Example usage:\nprint(strlen(undefined))\n```",
        "passed",
    ),
    # Two blocks: the first one counts.
    Answer(
        "HumanEval/2",
        "```python\ndef truncate_number(number):\n    return number - int(number)\n```\nTest it:\n\n"
        "```python\nassert truncate_number(3.5) == 7\n```",
        "passed",
    ),
    # A block that is not closed, as when the tokens run out.
    Answer(
        "HumanEval/15",
        HERE + "```python\ndef string_sequence(n):\n    return ' '.join(map(str, range(n + 1)))",
        "passed",
    ),
    # Cut off in the middle of a line.
    Answer("HumanEval/60", HERE + "```python\ndef sum_to_n(n):\n    return sum(range(n +", "did not compile"),
    # Without a fence, the answer itself is the code: here prose, which is none.
    Answer("HumanEval/13", "The greatest common divisor is found by Euclid's method.", "did not compile"),
    # Another name: the prompt's own function has no body and returns None.
    Answer(
        "HumanEval/34",
        "```python\ndef unique_sorted(l):\n    return sorted(set(l))\n```",
        "failed",
    ),
    # It does not end.
    Answer(
        "HumanEval/24",
        "```python\ndef largest_divisor(n):\n    i = n\n    while True:\n        i = i\n```",
        "timed out",
    ),
    # It raises.
    Answer("HumanEval/35", "```python\ndef max_element(l):\n    return l[len(l)]\n```", "error"),
]
