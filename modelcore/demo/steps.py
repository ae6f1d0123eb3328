"""The steps that first programs are composed of: one English phrase and one Python expression each.

A step takes one value and gives one value. Its two texts are templates: `{v}` stands for the value,
`{k}` for the constant, drawn from `constants`. The meaning of a step is its expression alone.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STEPS", "Step"]

NUMBERS = tuple(str(number) for number in range(2, 21))
FEW = ("2", "3", "4", "5")
LETTERS = tuple("bcdegilmnoprstu")


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        name: unique in `STEPS`; a program's composition is the tuple of its steps' names.
        takes: type of the value it works on: "pair" (two ints), "int", "numbers", "text" or "words".
        gives: type of its result: one of those but "pair", or "bool", which only ends a program.
        phrase: what to do, as an imperative without capital and full stop.
        code: the same as a Python expression.
        constants: the texts that `{k}` is drawn from; none for a step without a constant.
    """

    name: str
    takes: str
    gives: str
    phrase: str
    code: str
    constants: tuple[str, ...] = ()


_PAIR = (
    Step("pair_add", "pair", "int", "add {a} and {b}", "{a} + {b}"),
    Step("pair_subtract", "pair", "int", "subtract {b} from {a}", "{a} - {b}"),
    Step("pair_multiply", "pair", "int", "multiply {a} by {b}", "{a} * {b}"),
    Step("pair_larger", "pair", "int", "take the larger of {a} and {b}", "max({a}, {b})"),
    Step("pair_smaller", "pair", "int", "take the smaller of {a} and {b}", "min({a}, {b})"),
    Step("pair_range", "pair", "numbers", "list the numbers from {a} to {b}", "list(range({a}, {b} + 1))"),
)

_INT = (
    Step("add", "int", "int", "add {k}", "{v} + {k}", NUMBERS),
    Step("subtract", "int", "int", "subtract {k}", "{v} - {k}", NUMBERS),
    Step("multiply", "int", "int", "multiply by {k}", "{v} * {k}", NUMBERS),
    Step("divide", "int", "int", "divide into {k} parts", "{v} // {k}", NUMBERS),
    Step("remainder", "int", "int", "take it modulo {k}", "{v} % {k}", NUMBERS),
    Step("square", "int", "int", "square it", "{v} ** 2"),
    Step("absolute", "int", "int", "drop its sign", "abs({v})"),
    Step("negate", "int", "int", "change its sign", "-{v}"),
    Step("at_least", "int", "int", "raise it to at least {k}", "max({v}, {k})", NUMBERS),
    Step("at_most", "int", "int", "limit it to at most {k}", "min({v}, {k})", NUMBERS),
    Step("digits", "int", "numbers", "list its digits", "[int(d) for d in str(abs({v}))]"),
    Step("is_even", "int", "bool", "check if it is even", "{v} % 2 == 0"),
    Step("is_above", "int", "bool", "check if it is above {k}", "{v} > {k}", NUMBERS),
    Step("is_below", "int", "bool", "check if it is below {k}", "{v} < {k}", NUMBERS),
    Step("is_multiple", "int", "bool", "check if {k} divides it", "{v} % {k} == 0", NUMBERS),
)

_NUMBERS = (
    Step("add_each", "numbers", "numbers", "add {k} to each number", "[n + {k} for n in {v}]", NUMBERS),
    Step(
        "subtract_each",
        "numbers",
        "numbers",
        "subtract {k} from each number",
        "[n - {k} for n in {v}]",
        NUMBERS,
    ),
    Step(
        "multiply_each",
        "numbers",
        "numbers",
        "multiply each number by {k}",
        "[n * {k} for n in {v}]",
        NUMBERS,
    ),
    Step("square_each", "numbers", "numbers", "square each number", "[n ** 2 for n in {v}]"),
    Step(
        "keep_above",
        "numbers",
        "numbers",
        "keep the numbers above {k}",
        "[n for n in {v} if n > {k}]",
        NUMBERS,
    ),
    Step(
        "keep_below",
        "numbers",
        "numbers",
        "keep the numbers below {k}",
        "[n for n in {v} if n < {k}]",
        NUMBERS,
    ),
    Step("keep_even", "numbers", "numbers", "keep the even numbers", "[n for n in {v} if n % 2 == 0]"),
    Step("keep_odd", "numbers", "numbers", "keep the odd numbers", "[n for n in {v} if n % 2 == 1]"),
    Step(
        "keep_multiples",
        "numbers",
        "numbers",
        "keep the multiples of {k}",
        "[n for n in {v} if n % {k} == 0]",
        NUMBERS,
    ),
    Step("drop_number", "numbers", "numbers", "drop every {k}", "[n for n in {v} if n != {k}]", NUMBERS),
    Step("first_numbers", "numbers", "numbers", "take the first {k} numbers", "{v}[:{k}]", FEW),
    Step("skip_numbers", "numbers", "numbers", "skip {k} numbers", "{v}[{k}:]", FEW),
    Step("every_kth", "numbers", "numbers", "take one number in {k}", "{v}[::{k}]", FEW),
    Step("sort_numbers", "numbers", "numbers", "sort the numbers", "sorted({v})"),
    Step("reverse_numbers", "numbers", "numbers", "reverse the numbers", "{v}[::-1]"),
    Step("sum", "numbers", "int", "sum the numbers", "sum({v})"),
    Step("count", "numbers", "int", "count the numbers", "len({v})"),
    Step("largest", "numbers", "int", "find the largest number", "max({v}, default=0)"),
    Step("smallest", "numbers", "int", "find the smallest number", "min({v}, default=0)"),
    Step("count_number", "numbers", "int", "count the number {k}", "sum(n == {k} for n in {v})", NUMBERS),
    Step("has_number", "numbers", "bool", "check for {k}", "{k} in {v}", NUMBERS),
)

_TEXT = (
    Step("upper", "text", "text", "make it upper case", "{v}.upper()"),
    Step("lower", "text", "text", "make it lower case", "{v}.lower()"),
    Step("reverse_text", "text", "text", "reverse the text", "{v}[::-1]"),
    Step("first_letters", "text", "text", "take the first {k} characters", "{v}[:{k}]", FEW),
    Step("skip_letters", "text", "text", "skip {k} characters", "{v}[{k}:]", FEW),
    Step("repeat", "text", "text", "repeat the text {k} times", "{v} * {k}", FEW),
    Step("drop_letter", "text", "text", "remove every {k}", '{v}.replace("{k}", "")', LETTERS),
    Step("star", "text", "text", "star each {k}", '{v}.replace("{k}", "*")', LETTERS),
    Step("append", "text", "text", "append {k}", '{v} + "{k}"', LETTERS),
    Step("prepend", "text", "text", "prepend {k}", '"{k}" + {v}', LETTERS),
    Step("length", "text", "int", "count the characters", "len({v})"),
    Step("count_letter", "text", "int", "count the letter {k}", '{v}.count("{k}")', LETTERS),
    Step("split", "text", "words", "split the text into words", "{v}.split()"),
    Step("has_letter", "text", "bool", "check for {k}", '"{k}" in {v}', LETTERS),
    Step("starts_with", "text", "bool", "check if it starts with {k}", '{v}.startswith("{k}")', LETTERS),
)

_WORDS = (
    Step(
        "keep_longer",
        "words",
        "words",
        "keep the words over {k} letters",
        "[w for w in {v} if len(w) > {k}]",
        FEW,
    ),
    Step(
        "keep_shorter",
        "words",
        "words",
        "keep the words under {k} letters",
        "[w for w in {v} if len(w) < {k}]",
        FEW,
    ),
    Step(
        "keep_with",
        "words",
        "words",
        "keep the words containing {k}",
        '[w for w in {v} if "{k}" in w]',
        LETTERS,
    ),
    Step(
        "keep_without",
        "words",
        "words",
        "drop the words having {k}",
        '[w for w in {v} if "{k}" not in w]',
        LETTERS,
    ),
    Step("upper_each", "words", "words", "make each word upper case", "[w.upper() for w in {v}]"),
    Step("reverse_each", "words", "words", "reverse each word", "[w[::-1] for w in {v}]"),
    Step("first_words", "words", "words", "take the first {k} words", "{v}[:{k}]", FEW),
    Step("sort_words", "words", "words", "sort the words", "sorted({v})"),
    Step("reverse_words", "words", "words", "reverse the words", "{v}[::-1]"),
    Step("lengths", "words", "numbers", "list the word lengths", "[len(w) for w in {v}]"),
    Step("count_words", "words", "int", "count the words", "len({v})"),
    Step("join", "words", "text", "join the words using {k}", '"{k}".join({v})', LETTERS),
    Step("join_spaced", "words", "text", "join the words with spaces", '" ".join({v})'),
)

STEPS: tuple[Step, ...] = (*_PAIR, *_INT, *_NUMBERS, *_TEXT, *_WORDS)
