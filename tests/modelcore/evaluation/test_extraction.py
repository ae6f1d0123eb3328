from __future__ import annotations

import pytest

from modelcore.evaluation.extraction import cut_at_stops, fenced_code, program_of, wizardcoder_code


def test_a_program_is_the_prompt_followed_by_the_completion() -> None:
    assert program_of("def f():\n", "    pass\n") == "def f():\n    pass\n"


def test_a_response_ends_at_the_first_of_several_stops() -> None:
    assert cut_at_stops("\ndef g", ("\ndef",)) == ""
    assert cut_at_stops("a", ()) == "a"
    assert cut_at_stops("    return 1\n# done\ndef g", ("\ndef", "\n#")) == "    return 1"
    assert cut_at_stops("    return 1", ("\ndef",)) == "    return 1"


@pytest.mark.parametrize("extract", [wizardcoder_code, fenced_code])
def test_the_first_fenced_block_is_the_code(extract) -> None:
    response = "Sure:\r\n```python\r\ndef f():\r\n    return 1\r\n```\r\nand\r\n```python\r\nother\r\n```"
    assert extract(response) == "def f():\n    return 1\n"


@pytest.mark.parametrize("extract", [wizardcoder_code, fenced_code])
def test_an_unclosed_fence_runs_to_the_end(extract) -> None:
    assert extract("```python\ndef f():\n    return 1\n") == "def f():\n    return 1\n"


@pytest.mark.parametrize("extract", [wizardcoder_code, fenced_code])
@pytest.mark.parametrize(
    "end",
    [
        'if __name__ == "__main__":\n    f()',
        "if __name__ == '__main__':\n    f()",
        "# Example usage:\nprint(f())",
    ],
)
def test_a_demonstration_at_the_end_is_dropped(extract, end: str) -> None:
    assert extract(f"```python\ndef f():\n    return 1\n\n{end}\n```") == "def f():\n    return 1\n"


@pytest.mark.parametrize("extract", [wizardcoder_code, fenced_code])
def test_without_a_fence_all_text_is_code(extract) -> None:
    assert extract("    return 1\n") == "    return 1\n"


def test_a_future_import_is_dropped_because_it_could_not_follow_the_prompt() -> None:
    code = fenced_code("```\nfrom __future__ import annotations\nimport re\n```")
    assert code == "import re\n"


def test_wizardcoder_tabs_are_four_spaces() -> None:
    assert wizardcoder_code("```python\ndef f():\n\treturn 1\n```") == "def f():\n    return 1\n"


def test_only_a_python_fence_counts_for_wizardcoder_and_any_for_others() -> None:
    response = "```\nfirst\n```\n```Python3 \nsecond\n```"
    assert fenced_code(response) == "first\n"
    assert fenced_code(response[12:]) == "second\n"
    assert wizardcoder_code(response) == response + "\n"
    assert wizardcoder_code("```text\nno\n```\n```python\n\n  yes\n\n```") == "  yes\n"
