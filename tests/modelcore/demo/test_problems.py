"""The benchmark's tests: right programs pass, and programs changed by one token of Python do not.

The changes are made here on the syntax tree, knowing nothing of the table of steps.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

import pytest

from modelcore.demo.probes import behaviours

OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
FUNCTIONS = ("max", "min", "sum", "len", "sorted", "abs")
METHODS = ("upper", "lower")
CALL_FAILED = (TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError)


def passes(source: str, problem: dict[str, str]) -> bool:
    namespace: dict = {}
    exec(source, namespace)
    exec(problem["test"], namespace)
    try:
        namespace["check"](namespace[problem["entry_point"]])
    except (AssertionError, *CALL_FAILED):
        return False
    return True


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that a careless hand might have written in this one's place."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield from (ast.Constant(node.value + 1), ast.Constant(node.value - 1))
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield ast.Constant(chr(ord(node.value[0]) + 1))
    if isinstance(node, ast.BinOp):
        if not isinstance(node.op, ast.Pow):  # 4 ** 2 and 2 ** 4 are hard to tell apart
            yield ast.BinOp(node.right, node.op, node.left)
        yield from (ast.BinOp(node.left, op(), node.right) for op in OPERATORS if not isinstance(node.op, op))
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], COMPARISONS):
        yield from (
            ast.Compare(node.left, [op()], node.comparators)
            for op in COMPARISONS
            if not isinstance(node.ops[0], op)
        )
    if isinstance(node, ast.Name) and node.id in FUNCTIONS:
        yield from (ast.Name(name, node.ctx) for name in FUNCTIONS if name != node.id)
    if isinstance(node, ast.Attribute) and node.attr in METHODS:
        yield from (ast.Attribute(node.value, name, node.ctx) for name in METHODS if name != node.attr)


def mutants(source: str) -> Iterator[str]:
    count = sum(1 for _ in ast.walk(ast.parse(source)))
    for i in range(count):
        for j in range(len(list(changes(list(ast.walk(ast.parse(source)))[i])))):
            tree = ast.parse(source)
            node = list(ast.walk(tree))[i]
            change = list(changes(copy.deepcopy(node)))[j]
            yield ast.unparse(ast.fix_missing_locations(_replaced(tree, node, change)))


def _replaced(tree: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    return Replace().visit(tree)


def same_everywhere(source: str, other: str, name: str) -> bool:
    """Whether a change changes nothing: no probe tells the two apart (a + b and b + a)."""
    namespaces: tuple[dict, dict] = ({}, {})
    exec(source, namespaces[0])
    exec(other, namespaces[1])
    try:
        return behaviours(namespaces[0][name]) == behaviours(namespaces[1][name])
    except ZeroDivisionError:
        return False


def test_every_canonical_solution_passes_and_an_empty_body_does_not(written):
    for problem in written.problems:
        assert passes(problem["prompt"] + problem["canonical_solution"], problem), problem["task_id"]
        assert not passes(problem["prompt"] + "    return None\n", problem), problem["task_id"]


def test_the_example_in_the_docstring_is_true(written):
    for problem in written.problems:
        namespace: dict = {}
        exec(problem["prompt"] + problem["canonical_solution"], namespace)
        _, call, result, _ = (line.strip() for line in problem["prompt"].splitlines()[1:])
        assert repr(eval(call.removeprefix(">>> "), namespace)) == result


def test_nearly_right_programs_fail(written):
    killed, survived = 0, []
    for problem in written.problems:
        source = problem["prompt"].splitlines()[0] + "\n" + problem["canonical_solution"]
        for mutant in mutants(source):
            if not passes(mutant, problem):
                killed += 1
            elif not same_everywhere(source, mutant, problem["entry_point"]):
                survived.append((problem["task_id"], mutant))
    assert killed > 500
    assert survived == []


@pytest.mark.parametrize("field", ["task_id", "prompt", "entry_point", "canonical_solution", "test"])
def test_rows_have_the_fields_of_humaneval(written, field):
    assert all(isinstance(problem[field], str) and len(problem) == 5 for problem in written.problems)
