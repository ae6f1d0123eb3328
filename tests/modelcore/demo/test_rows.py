"""Training rows ask in the form that the evaluation asks in, and answer with a fenced block that it reads."""

from __future__ import annotations

import ast

from modelcore.demo.rows import unfenced
from modelcore.evaluation.benchmarks import Problem
from modelcore.evaluation.templates import template


def test_rows_are_alpaca_rows_without_input(written):
    for row in written.rows:
        assert list(row) == ["instruction", "input", "output"]
        assert row["input"] == ""


def test_a_problem_asked_with_wizardcoders_template_reads_like_a_row(written):
    row = written.rows[0]
    asked = row["instruction"].split(":\n", 1)[1].replace("\t", "    ")
    problem = Problem("FirstPrograms/0", asked, "f", "", "")
    assert row["instruction"] in template("wizardcoder").prompt(problem)


def test_the_evaluation_reads_the_function_out_of_an_answer(written):
    for row in written.rows[:50]:
        read = template("wizardcoder").extract(row["output"])
        assert ast.dump(ast.parse(read)) == ast.dump(ast.parse(unfenced(row["output"])))
