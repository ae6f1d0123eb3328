"""The prompts of a benchmark as rows that another engine can answer, one JSON line each.

A row holds what the engine needs to send what `generate` sends here: the text, the stops, whether BOS goes
before it. With the answer under `response` added to it, the row is a sample that `score` reads. Nothing is
generated here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from modelcore.data.tokenizers import load_tokenizer
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.templates import Template
from modelcore.generation.prompt_ids import encode_prompts

__all__ = ["PromptRow", "prompt_rows"]


@dataclass(frozen=True)
class PromptRow:
    """One prompt, and how it is to be answered.

    Attributes:
        task_id: of the problem.
        entry_point: name of the function to be written.
        prompt: the text to send, unchanged.
        template, template_version: what the text was made with, and what reads the response.
        stops: texts before which the response may end.
        bos: whether a beginning-of-sequence token goes before the text; None without a tokenizer.
        ids: the tokens of the prompt, BOS included; None if they were not asked for.
    """

    task_id: str
    entry_point: str
    prompt: str
    template: str
    template_version: int
    stops: list[str]
    bos: bool | None = None
    ids: list[int] | None = None

    def to_json(self) -> str:
        """Return the row as a line of JSON; what is None is left out."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})


def prompt_rows(
    benchmark: Benchmark, template: Template, tokenizer: Path | None = None, *, ids: bool = False
) -> Iterator[PromptRow]:
    """Yield the row of each problem, in the benchmark's order.

    Args:
        benchmark: the problems.
        template: the text around them.
        tokenizer: directory with the model's tokenizer files, which say whether prompts begin with BOS.
        ids: whether to encode the prompts; needs `tokenizer`.

    Raises:
        MindrailError: the tokenizer cannot be read.
    """
    texts = [template.prompt(problem) for problem in benchmark.problems]
    bos = None if tokenizer is None else begins_with_bos(tokenizer)
    encoded: list[list[int]] | None = None
    if tokenizer is not None and ids:
        encoded = encode_prompts(load_tokenizer(tokenizer), texts, bos=bool(bos))
    for number, (problem, text) in enumerate(zip(benchmark.problems, texts, strict=True)):
        yield PromptRow(
            task_id=problem.task_id,
            entry_point=problem.entry_point,
            prompt=text,
            template=template.name,
            template_version=template.version,
            stops=list(template.stops),
            bos=bos,
            ids=None if encoded is None else encoded[number],
        )
