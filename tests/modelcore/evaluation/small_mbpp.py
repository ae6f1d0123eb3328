"""Six problems in MBPP's form, one for each peculiarity of its rows, each with a wrong solution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def _row(number: int, text: str, code: str, tests: list[str], setup: str = "") -> dict[str, Any]:
    return {
        "task_id": number,
        "text": text,
        "code": code,
        "test_list": tests,
        "test_setup_code": setup,
        "challenge_test_list": [],
    }


ROWS = [
    _row(
        11,
        "Write a python function to remove the first and the last occurrence of a letter.",
        "def remove_ends(s, ch):\r\n\tfirst = s.find(ch)\r\n\ts = s[:first] + s[first + 1:]\r\n"
        "\tlast = s.rfind(ch)\r\n\treturn s[:last] + s[last + 1:]",
        ['assert remove_ends("hello", "l") == "heo"', 'assert remove_ends("abcda", "a") == "bcd"'],
    ),
    _row(  # The tests need the module that only the solution imports.
        12,
        "Write a function to return the area of a circle.",
        "import math\ndef circle_area(r):\n  return math.pi * r * r",
        ["assert math.isclose(circle_area(1), 3.14159, rel_tol=0.001)"],
    ),
    _row(  # A helper first: the entry point is what the tests call.
        13,
        "Write a function to find the common elements of two lists.",
        "def unique(values):\n  return set(values)\ndef common(a, b):\n  return unique(a) & unique(b)",
        ["assert set(common([1, 2, 2], [2, 3])) == set([2])", "assert common([1], [3]) == set()"],
    ),
    _row(  # Set-up code of the tests, with a class of the solution's.
        14,
        "Write a function to give the larger side of a pair.",
        "class Pair(object):\r\n\tdef __init__(self, a, b):\r\n\t\tself.a = a\r\n\t\tself.b = b\r\n"
        "def larger(pair):\r\n\treturn max(pair.a, pair.b)",
        ["assert larger(pair) == 24", "assert larger(Pair(7, 1)) == 7"],
        "pair = Pair(5, 2)\r\npair.b = 24",
    ),
    _row(  # An escape that Python warns about.
        15,
        "Write a function to match a word at the end of a string.",
        "import re\ndef ends_with_word(text):\n    return bool(re.search('\\w+\\S*$', text))",
        ['assert ends_with_word("python language") == True', 'assert ends_with_word("  ") == False'],
    ),
    _row(  # White space around assertions.
        501,
        "Write a function to sort a list of tuples by the second item.",
        "def by_second(pairs):\n    pairs.sort(key=lambda pair: pair[1])\n    return pairs",
        ["assert by_second([('a', 2), ('b', 1)]) == [('b', 1), ('a', 2)] ", " assert by_second([]) == []"],
    ),
]
ENTRY_POINTS = ["remove_ends", "circle_area", "common", "larger", "ends_with_word", "by_second"]
WRONG = {
    "MBPP/11": "def remove_ends(s, ch):\n    return s.replace(ch, '', 1)\n",
    "MBPP/12": "import math\ndef circle_area(r):\n    return 2 * math.pi * r\n",
    "MBPP/13": "def common(a, b):\n    return set(a) | set(b)\n",
    "MBPP/14": "class Pair:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\n"
    "def larger(pair):\n    return pair.b\n",
    "MBPP/15": "def ends_with_word(text):\n    return True\n",
    "MBPP/501": "def by_second(pairs):\n    return sorted(pairs)\n",
}


def write_mbpp(directory: Path) -> Path:
    path = directory / "mbpp.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path
