from __future__ import annotations

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.templates import TEMPLATES, template


def test_base_sends_the_prompt_as_it_is(tiny: Benchmark) -> None:
    problem = tiny.problems[0]
    assert template("base").prompt(problem) == problem.prompt
    assert template("base-stripped").prompt(problem) == problem.prompt[:-1]


def test_base_cuts_what_follows_the_function(tiny: Benchmark) -> None:
    response = "    return x + y\n\nprint(add(1, 2))\n"
    assert template("base").extract(response, tiny.problems[0]) == "    return x + y\n"


def test_a_stripped_prompt_gets_its_newline_back_once(tiny: Benchmark) -> None:
    response = "\n    return x + y\n# that is all"
    assert template("base-stripped").extract(response, tiny.problems[0]) == "    return x + y"


def test_wizardcoder_is_the_text_its_authors_use(tiny: Benchmark) -> None:
    assert template("wizardcoder").prompt(tiny.problems[0]) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n\n### Instruction:\nCreate a Python script for this problem:\n"
        'from math import floor\n\ndef add(x, y):\n\t""" Add. """\n'
        "\n\n### Response:"
    )


def test_instruct_templates_put_the_prompt_between_their_markers(tiny: Benchmark) -> None:
    code = tiny.problems[0].prompt.strip()
    codellama = template("codellama-instruct").prompt(tiny.problems[0])
    assert codellama.startswith("[INST] ") and codellama.endswith(f"```python\n{code}\n``` [/INST]")
    deepseek = template("deepseek-instruct")
    assert deepseek.prompt(tiny.problems[0]).endswith(f"```python\n{code}\n```\n### Response:\n")
    assert deepseek.stops == ("<|EOT|>",)


def test_braces_in_a_prompt_are_kept(tiny: Benchmark) -> None:
    from dataclasses import replace

    problem = replace(tiny.problems[0], prompt="def f(a={}):\n    '''{prompt}'''\n")
    assert "def f(a={}):" in template("alpaca").prompt(problem)


def test_names_are_unique_and_an_unknown_one_is_refused_with_those_there_are() -> None:
    assert len({known.name for known in TEMPLATES}) == len(TEMPLATES)
    with pytest.raises(MindrailError, match="no prompt template 'wizard'; use base, "):
        template("wizard")
