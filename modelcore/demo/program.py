"""A first program: a chain of steps with their constants, under a function's and its parameters' names.

It writes its own texts: the docstring's sentence, the code, the benchmark's prompt and the training row.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelcore.demo.steps import Step

__all__ = ["Chain", "Program", "compile_function", "without_names"]

# Each step with its constant ("" when it has none): what the program does, without any name.
Chain = tuple[tuple[Step, str], ...]


@dataclass(frozen=True)
class Program:
    """One program: `chain` under names.

    Attributes:
        chain: the steps with their constants, first to last.
        name: the function's name.
        parameters: one name, or two when the first step takes a pair.
    """

    chain: Chain
    name: str
    parameters: tuple[str, ...]

    @property
    def composition(self) -> tuple[str, ...]:
        """The names of the steps, without constants."""
        return tuple(step.name for step, _ in self.chain)

    @property
    def takes(self) -> str:
        """The type of the argument."""
        return self.chain[0][0].takes

    @property
    def signature(self) -> str:
        """The `def` line, without its newline."""
        return f"def {self.name}({', '.join(self.parameters)}):"

    def sentence(self) -> str:
        """What the program does, in English."""
        text = ", then ".join(self._fill(step.phrase, step, constant) for step, constant in self.chain)
        return text[0].upper() + text[1:] + "."

    def body(self) -> str:
        """The function's body: one line per step, each applied to the result of the one before."""
        *earlier, last = (self._fill(step.code, step, constant) for step, constant in self.chain)
        first = self.parameters[0]
        lines = [f"    result = {code}" for code in earlier] + [f"    return {last}"]
        values = [first] + ["result"] * len(earlier)
        return "".join(line.replace("{v}", value) + "\n" for line, value in zip(lines, values, strict=True))

    def source(self) -> str:
        """The whole function."""
        return f"{self.signature}\n{self.body()}"

    def prompt(self, example: tuple[Any, ...]) -> str:
        """Return the `def` line and a docstring that shows one call: what a benchmark asks with.

        Args:
            example: the arguments of that call.
        """
        call = ", ".join(repr(value) for value in example)
        result = compile_function(self.source(), self.name)(*example)
        lines = (f'"""{self.sentence()}', f">>> {self.name}({call})", repr(result), '"""')
        return self.signature + "\n" + "".join(f"    {line}\n" for line in lines)

    def _fill(self, template: str, step: Step, constant: str) -> str:
        pair = dict(zip("ab", self.parameters, strict=True)) if step.takes == "pair" else {}
        return template.format(v="{v}", k=constant, **pair)


def compile_function(source: str, name: str) -> Callable[..., Any]:
    """Return the function `name` of `source`: text that this package wrote, never a model's answer."""
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    function: Callable[..., Any] = namespace[name]
    return function


def without_names(source: str) -> str:
    """Return a function's code with its own name, its parameters' names and its docstring taken out.

    Two functions with the same text then are the same program: same operations, order and constants.
    """
    function = ast.parse(source).body[0]
    if not isinstance(function, ast.FunctionDef):
        raise ValueError("the source is not one function")
    names = {argument.arg: f"p{i}" for i, argument in enumerate(function.args.args)}
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return f"{len(names)}:" + "\n".join(ast.unparse(statement) for statement in body)
