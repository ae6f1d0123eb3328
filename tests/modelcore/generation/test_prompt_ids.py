"""A model gets the ids that it was trained on: transformers' for its published tokenizer, and its rows'."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modelcore.config.evaluation import TEMPLATES_OF_ROWS
from modelcore.data.encoding.encode import InstructionEncoder
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.encoding.prompts import DEEPSEEK_SYSTEM
from modelcore.data.sources.records import Dialogue, Exchange, Instruction
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.evaluation.benchmarks import Problem
from modelcore.evaluation.templates import TEMPLATES, template
from modelcore.generation.prompt_ids import encode_prompts
from modelcore.models.shipped import shipped_models
from tests.modelcore.published_tokenizers import Published, kind_of

Vocabularies = Callable[[str], Published]

PROBLEMS = [
    Problem(f"T/{number}", prompt, "f", "def check(f): pass", "")
    for number, prompt in enumerate(
        [
            'import math\n\n\ndef f(x: int):\n    """ Add 12 to x.\n    >>> f(1)\n    13\n    """\n',
            "def f(text):\n\t# Grüße, 世界 🙂 é e\u0301 ½\n",
            "  def f():  ",
            '"""\nWrite [INST] or ### Response: twice.\nassert f() == 0x7F\n"""\n',
        ]
    )
]
ANSWER = "Here it is.\n```python\ndef f():\n    return 1\n```"
TASKS = {
    "alpaca": "Create a Python script for this problem:\n{}",
    "llama": "Create a Python script for this problem:\n{}",
    "codellama-instruct": (
        "Complete this Python function. Answer with the whole function in one code block.\n```python\n{}\n```"
    ),
    "deepseek": (
        "Please continue to complete the function. You are not allowed to modify the given code and do the "
        "completion only. Please return all completed function in a codeblock. Here is the given code to do "
        "completion:\n```python\n{}\n```"
    ),
    "qwen-instruct": (
        "Please provide a self-contained Python script that solves the following problem in a markdown code "
        "block:\n```\n{}\n```\n"
    ),
}
"""What each template asks, in the words of its model's authors or of EvalPlus."""
TASKS["deepseek-instruct"] = TASKS["deepseek"]

WITH_BOS = {"llama": True, "deepseek": True, "deepseek-v1.5": True, "starcoder": False, "qwen2": False}
ROWS_OF_KIND = {
    "llama": ("llama", "codellama-instruct", "wizardcoder"),
    "deepseek": ("deepseek",),
    "deepseek-v1.5": ("deepseek",),
    "starcoder": ("wizardcoder",),
    "qwen2": ("chatml",),
}
"""The row formats that models of each kind of vocabulary are trained on."""
ROWS = [(kind, rows) for kind, formats in ROWS_OF_KIND.items() for rows in formats]


def instruction(name: str, problem: Problem) -> str:
    """Return what a template asks of a problem."""
    strips = {known.name: known.strip for known in TEMPLATES}[name]
    return TASKS[name].format(problem.prompt.strip() if strips == "both" else problem.prompt)


@pytest.mark.parametrize("model", shipped_models())
def test_the_ids_of_every_template_are_transformers(model: str, published: Vocabularies) -> None:
    vocabulary = published(kind_of(model))
    texts = [known.prompt(problem) for known in TEMPLATES for problem in PROBLEMS]
    bos = begins_with_bos(vocabulary.directory)
    ids = encode_prompts(vocabulary.ours, texts, bos=bos)
    assert ids == vocabulary.theirs(texts)["input_ids"]
    assert bos is WITH_BOS[kind_of(model)]
    assert all((prompt[0] == vocabulary.ours.bos_id) is bos for prompt in ids)


INSTRUCT = [name for name, model in shipped_models().items() if model.template.endswith("-instruct")]


@pytest.mark.parametrize("model", INSTRUCT)
def test_an_instruct_model_is_asked_with_its_chat_template(model: str, published: Vocabularies) -> None:
    vocabulary, name = published(kind_of(model)), shipped_models()[model].template
    for problem in PROBLEMS:
        messages = [{"role": "user", "content": instruction(name, problem)}]
        assert vocabulary.ids(template(name).prompt(problem)) == vocabulary.chat_ids(messages)


def test_every_instruct_model_and_no_other_has_a_chat_template() -> None:
    assert len(INSTRUCT) == 3 + 4 + 6
    assert all(name.endswith("-instruct") for name in INSTRUCT)


def test_every_row_format_is_tried_with_every_template_that_fits_it() -> None:
    instructions = {rows for rows, fitting in TEMPLATES_OF_ROWS.items() if "base" not in fitting}
    assert {rows for _, rows in ROWS} == instructions == set(FORMATS)


@pytest.mark.parametrize(("kind", "rows"), ROWS)
def test_a_template_asks_as_the_rows_do(kind: str, rows: str, published: Vocabularies) -> None:
    """Text and ids, BOS included. `wizardcoder` is its authors' and differs: see the next test."""
    vocabulary, form = published(kind), FORMATS[rows]
    bos = begins_with_bos(vocabulary.directory)
    encoder = InstructionEncoder.of(form, vocabulary.ours, bos=bos)
    for name in set(TEMPLATES_OF_ROWS[rows]) - {"wizardcoder"}:
        for problem in PROBLEMS:
            record = Instruction(instruction(name, problem), "", ANSWER)
            dialogue = Dialogue("", [form.from_instruction(record)])
            prompt = template(name).prompt(problem)
            assert form.turns(dialogue)[0].prompt == prompt
            row = encoder.encode([dialogue])
            assert row.ids[~row.trained].tolist() == vocabulary.ids(prompt)


def test_wizardcoders_authors_ask_with_another_blank_line_and_tabs() -> None:
    for problem in PROBLEMS:
        rows, authors = (template(name).prompt(problem) for name in ("alpaca", "wizardcoder"))
        assert authors == rows.replace("\n\n### Instr", "\n\n\n### Instr").replace("    ", "\t")


TURNS = Dialogue("", [Exchange(" \n hi\n", "hello"), Exchange("bye", "see you")])


@pytest.mark.parametrize("system", ["", "Be brief.", " Be\nbrief.\n"])
@pytest.mark.parametrize(
    ("kind", "rows"), [("llama", "codellama-instruct"), ("deepseek", "deepseek"), ("qwen2", "chatml")]
)
def test_a_conversations_row_is_its_chat_template(
    system: str, kind: str, rows: str, published: Vocabularies
) -> None:
    vocabulary = published(kind)
    row = InstructionEncoder.of(FORMATS[rows], vocabulary.ours).encode([TURNS._replace(system=system)])
    # DeepSeek's template writes no line break after a system text; its fine-tuning script does.
    first = (system or DEEPSEEK_SYSTEM) + "\n" if rows == "deepseek" else system
    messages = [{"role": "system", "content": first}] if first else []
    for question, answer in TURNS.exchanges:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    theirs = vocabulary.chat_ids(messages, answer=False)
    assert row.ids.tolist() == theirs[: len(row.ids)]
    # What follows is the line break that DeepSeek's and Qwen's templates write after an answer.
    assert vocabulary.ours.decode(theirs[len(row.ids) :], continues=True) == ("" if kind == "llama" else "\n")
