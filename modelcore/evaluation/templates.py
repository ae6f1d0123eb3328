"""Prompt templates as data: the text around a problem for each family of models, and how a response is read.

A template's `version` changes with anything in it that can change a score. The texts are the models' own
formats: WizardCoder's and Alpaca's published inference scripts, CodeLlama's `[INST]` format (its authors
published no instruction, so the one here is mindrail's), DeepSeek-Coder's chat template and evaluation,
Qwen2.5-Coder's chat template around EvalPlus's instruction (evalplus/codegen.py; the answer's first words,
which EvalPlus writes for the model, are left to the model).

A template for models trained on mindrail's rows is the prompt of such a row, made by the row format itself:
`modelcore.config.evaluation.TEMPLATES_OF_ROWS` says which belongs to which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modelcore.data.encoding.formats import FORMATS
from modelcore.data.encoding.prompts import DEEPSEEK_CHAT_SYSTEM, DEEPSEEK_TURN, WIZARDCODER_TASK
from modelcore.data.sources.records import Dialogue, Instruction
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Problem
from modelcore.evaluation.extraction import cut_at_stops, fenced_code, wizardcoder_code

__all__ = ["TEMPLATES", "Template", "template"]


@dataclass(frozen=True)
class Template:
    """How problems become prompts and responses become completions, for one family of models.

    Args:
        name, version: recorded with every score.
        text: the text sent to the model, in which `{prompt}` is replaced by the problem's prompt.
        stops: texts at which generation may stop; they are not part of the response.
        strip: how the problem's prompt is trimmed: "" (not at all), "newline" (its last newline, because a
            newline and the indentation after it are one token of most code models), or "both" (all white
            space at both ends).
        tabs: whether four spaces are sent as a tab.
        extractor: "stops" (cut at the first stop), "wizardcoder" or "fenced" (see `extraction`).
    """

    name: str
    version: int
    text: str
    stops: tuple[str, ...]
    strip: str
    tabs: bool
    extractor: str

    def prompt(self, problem: Problem) -> str:
        """Return the final text to send to the model."""
        prompt = problem.prompt
        if self.strip == "newline":
            prompt = prompt.removesuffix("\n")
        elif self.strip == "both":
            prompt = prompt.strip()
        return self.text.replace("{prompt}", prompt.replace("    ", "\t") if self.tabs else prompt)

    def extract(self, response: str) -> str:
        """Return the completion in a response: the program to run is `problem.prompt` followed by it."""
        if self.extractor == "stops":
            completion = cut_at_stops(response, self.stops)
            return completion.removeprefix("\n") if self.strip == "newline" else completion
        return _EXTRACTORS[self.extractor](response)


_EXTRACTORS: dict[str, Callable[[str], str]] = {"wizardcoder": wizardcoder_code, "fenced": fenced_code}


def _row(row_format: str, instruction: str) -> str:
    """Return the prompt of a training row for an instruction without input, up to the answer."""
    form = FORMATS[row_format]
    question = form.from_instruction(Instruction(instruction, "", ""))
    return form.turns(Dialogue("", [question]))[0].prompt


_PYTHON_SCRIPT = "Create a Python script for this problem:\n{prompt}"  # as WizardCoder's authors ask
_WHOLE_FUNCTION = (
    "Complete this Python function. Answer with the whole function in one code block.\n"
    "```python\n{prompt}\n```"
)
_DEEPSEEK_TASK = (
    "Please continue to complete the function. You are not allowed to modify the given code and "
    "do the completion only. Please return all completed function in a codeblock. Here is the given code to "
    "do completion:\n```python\n{prompt}\n```"
)
_EVALPLUS_TASK = (
    "Please provide a self-contained Python script that solves the following problem in a "
    "markdown code block:\n```\n{prompt}\n```\n"
)
_DEEPSEEK_CHAT = DEEPSEEK_CHAT_SYSTEM + DEEPSEEK_TURN.format(instruction=_DEEPSEEK_TASK)
_HUMANEVAL_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint", "\n@", "\n```")
_MBPP_STOPS = ("\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n```")

TEMPLATES: tuple[Template, ...] = (
    Template("base", 1, "{prompt}", _HUMANEVAL_STOPS, "", False, "stops"),
    Template("base-stripped", 1, "{prompt}", _HUMANEVAL_STOPS, "newline", False, "stops"),
    Template("base-mbpp", 1, "{prompt}", _MBPP_STOPS, "", False, "stops"),
    Template("wizardcoder", 1, WIZARDCODER_TASK, (), "", True, "wizardcoder"),
    Template("alpaca", 1, _row("wizardcoder", _PYTHON_SCRIPT), (), "", False, "fenced"),
    Template("llama", 1, _row("llama", _PYTHON_SCRIPT), (), "", False, "fenced"),
    Template(
        "codellama-instruct", 1, _row("codellama-instruct", _WHOLE_FUNCTION), (), "both", False, "fenced"
    ),
    Template("deepseek", 1, _row("deepseek", _DEEPSEEK_TASK), ("<|EOT|>",), "both", False, "fenced"),
    Template("deepseek-instruct", 1, _DEEPSEEK_CHAT, ("<|EOT|>",), "both", False, "fenced"),
    Template(
        "qwen-instruct",
        1,
        _row("chatml", _EVALPLUS_TASK),
        ("<|im_end|>", "<|endoftext|>"),
        "both",
        False,
        "fenced",
    ),
)


def template(name: str) -> Template:
    """Return the template with that name.

    Raises:
        MindrailError: there is none; the message lists the names.
    """
    for candidate in TEMPLATES:
        if candidate.name == name:
            return candidate
    names = ", ".join(known.name for known in TEMPLATES)
    raise MindrailError(f"no prompt template {name!r}", where="template", fix=f"use {names}")
