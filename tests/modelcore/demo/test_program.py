"""A program's texts, and what it is once the names are gone."""

from __future__ import annotations

from modelcore.demo.program import Program, compile_function, without_names
from modelcore.demo.steps import STEPS

STEP = {step.name: step for step in STEPS}
PROGRAM = Program(
    ((STEP["add_each"], "7"), (STEP["keep_above"], "12"), (STEP["sum"], "")), "tidy", ("numbers",)
)


def test_a_program_reads_as_a_sentence_and_a_line_a_step():
    assert PROGRAM.sentence() == "Add 7 to each number, then keep the numbers above 12, then sum the numbers."
    assert PROGRAM.source() == (
        "def tidy(numbers):\n"
        "    result = [n + 7 for n in numbers]\n"
        "    result = [n for n in result if n > 12]\n"
        "    return sum(result)\n"
    )


def test_the_prompt_shows_a_call_with_its_true_result():
    assert PROGRAM.prompt(([3, 8],)) == (
        "def tidy(numbers):\n"
        '    """Add 7 to each number, then keep the numbers above 12, then sum the numbers.\n'
        "    >>> tidy([3, 8])\n"
        "    15\n"
        '    """\n'
    )


def test_prompt_and_body_together_are_the_function():
    function = compile_function(PROGRAM.prompt(([3, 8],)) + PROGRAM.body(), "tidy")
    assert function([6, 5, 10]) == 13 + 17


def test_both_parameters_of_a_pair_are_used():
    program = Program(((STEP["pair_subtract"], ""), (STEP["square"], "")), "run", ("left", "right"))
    assert program.sentence() == "Subtract right from left, then square it."
    assert compile_function(program.source(), "run")(2, 5) == 9


def test_programs_that_differ_in_names_and_docstring_alone_are_the_same():
    renamed = Program(PROGRAM.chain, "make", ("items",))
    assert without_names(PROGRAM.source()) == without_names(renamed.prompt(([1, 2],)) + renamed.body())


def test_another_constant_order_or_parameter_is_another_program():
    chain = PROGRAM.chain
    others = [
        Program(((STEP["add_each"], "8"), *chain[1:]), "tidy", ("numbers",)),
        Program((chain[1], chain[0], chain[2]), "tidy", ("numbers",)),
        Program(chain[:2], "tidy", ("numbers",)),
    ]
    swapped = "def f(a, b):\n    return b - a\n", "def f(a, b):\n    return a - b\n"
    texts = {without_names(program.source()) for program in (PROGRAM, *others)}
    assert len(texts | {without_names(source) for source in swapped}) == 6
