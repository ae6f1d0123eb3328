from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.templates import TEMPLATES, template

FENCED = "Sure:\n```python\ndef f():\n\treturn 1\n```\nThat is all."
PLAIN = "    return x + y\n\nprint(add(1, 2))\n"


def test_base_sends_the_prompt_unchanged(tiny: Benchmark) -> None:
    problem = tiny.problems[0]
    assert template("base").prompt(problem) == template("base-mbpp").prompt(problem) == problem.prompt
    assert template("base-stripped").prompt(problem) == problem.prompt[:-1]


@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("base", ["class", "def", "#", "if", "print", "@", "```"]),
        ("base-stripped", ["class", "def", "#", "if", "print", "@", "```"]),
        ("base-mbpp", ["class", "assert", '"""', "print", "if", "```"]),
    ],
)
def test_base_cuts_at_what_follows_a_function(name: str, stops: list[str]) -> None:
    assert template(name).stops == tuple(f"\n{stop}" for stop in stops)
    for stop in stops:
        assert template(name).extract(f"    return 1\n{stop} more") == "    return 1"


def test_a_stripped_prompt_gets_its_newline_back_once() -> None:
    assert template("base-stripped").extract("\n\n    return x + y\n# that is all") == "\n    return x + y"
    assert template("base").extract("\n    return x + y\n# that is all") == "\n    return x + y"


def test_wizardcoder_is_the_text_its_authors_use(tiny: Benchmark) -> None:
    assert template("wizardcoder").prompt(tiny.problems[0]) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n\n### Instruction:\nCreate a Python script for this problem:\n"
        'from math import floor\n\ndef add(x, y):\n\t""" Add. """\n'
        "\n\n### Response:"
    )


def test_alpaca_is_stanfords_text_with_the_prompt_as_instruction(tiny: Benchmark) -> None:
    assert template("alpaca").prompt(tiny.problems[0]) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nCreate a Python script for this problem:\n"
        f"{tiny.problems[0].prompt}\n\n### Response:"
    )


def test_instruct_templates_put_the_trimmed_prompt_between_their_markers(tiny: Benchmark) -> None:
    problem = replace(tiny.problems[0], prompt=f"\n{tiny.problems[0].prompt}\n")
    code = tiny.problems[0].prompt.strip()
    codellama = template("codellama-instruct").prompt(problem)
    assert codellama.startswith("[INST] ") and codellama.endswith(f"```python\n{code}\n``` [/INST]")
    deepseek = template("deepseek-instruct").prompt(problem)
    assert deepseek.startswith("You are an AI programming assistant, utilizing the Deepseek Coder model")
    assert deepseek.endswith(f"```python\n{code}\n```\n### Response:\n")


def test_qwen_instruct_is_its_chat_template_around_evalpluss_instruction(tiny: Benchmark) -> None:
    problem = tiny.problems[0]
    assert template("qwen-instruct").prompt(problem) == (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nPlease provide a self-contained Python script that solves the following problem "
        f"in a markdown code block:\n```\n{problem.prompt.strip()}\n```\n<|im_end|>\n<|im_start|>assistant\n"
    )


def test_only_templates_with_end_markers_and_base_models_stop_at_a_text() -> None:
    assert template("deepseek-instruct").stops == ("<|EOT|>",)
    assert template("qwen-instruct").stops == ("<|im_end|>", "<|endoftext|>")
    assert template("deepseek").stops == ("<|EOT|>",)
    for name in ("wizardcoder", "alpaca", "llama", "codellama-instruct"):
        assert template(name).stops == ()


@pytest.mark.parametrize(
    ("name", "completion"),
    [
        ("base", "Sure:"),
        ("base-stripped", "Sure:"),
        ("base-mbpp", "Sure:"),
        ("wizardcoder", "def f():\n    return 1\n"),
        ("alpaca", "def f():\n\treturn 1\n"),
        ("llama", "def f():\n\treturn 1\n"),
        ("codellama-instruct", "def f():\n\treturn 1\n"),
        ("deepseek", "def f():\n\treturn 1\n"),
        ("deepseek-instruct", "def f():\n\treturn 1\n"),
        ("qwen-instruct", "def f():\n\treturn 1\n"),
    ],
)
def test_each_template_extracts_the_code_of_a_response(name: str, completion: str) -> None:
    assert template(name).extract(FENCED) == completion


def test_braces_in_a_prompt_are_kept(tiny: Benchmark) -> None:
    problem = replace(tiny.problems[0], prompt="def f(a={}):\n    '''{prompt}'''\n")
    for known in TEMPLATES:
        assert "def f(a={}):" in known.prompt(problem) and "'''{prompt}'''" in known.prompt(problem)


DIGESTS = {
    ("base", 1): "f0f915255a71d95a",
    ("base-stripped", 1): "a73fc98cbd8b3356",
    ("base-mbpp", 1): "059397d68b744ea0",
    ("wizardcoder", 1): "5a8da0442c9ae203",
    ("alpaca", 1): "44ca22c96f98c374",
    ("llama", 1): "7292cedb909ec346",
    ("codellama-instruct", 1): "3333970c0fefb210",
    ("deepseek", 1): "73339d61cd8c4fe0",
    ("deepseek-instruct", 1): "8423d1d7cc379ed8",
    ("qwen-instruct", 1): "ca7eb3757b2592ee",
}


def test_a_template_that_changes_gets_a_new_version() -> None:
    digests = {
        (known.name, known.version): hashlib.sha256(json.dumps(asdict(known)).encode()).hexdigest()[:16]
        for known in TEMPLATES
    }
    assert digests == DIGESTS


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MindrailError) as error:
        template("wizard")
    assert str(error.value) == (
        "template: no prompt template 'wizard'; use base, base-stripped, base-mbpp, wizardcoder, alpaca, "
        "llama, codellama-instruct, deepseek, deepseek-instruct, qwen-instruct"
    )
