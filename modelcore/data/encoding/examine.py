"""The expensive part of preprocessing, one chunk at a time: tokens, MinHash signatures, benchmark text.

The result depends only on the plan and the chunk, so any process can examine any chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcore.data.encoding.compat import mindformers_encoder
from modelcore.data.encoding.encode import Encoded, Encoder, InstructionEncoder, TextEncoder
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.encoding.padding import padding_id
from modelcore.data.options import Options
from modelcore.data.quality.contamination import BenchmarkText, read_benchmark_texts
from modelcore.data.quality.duplicates import signatures
from modelcore.data.sources.records import Dialogue
from modelcore.data.tokenizers import Tokenizer, load_tokenizer, tokenizer_home
from modelcore.data.tokenizers.bos import begins_with_bos

__all__ = ["Examined", "Examiner", "Plan", "sample_texts"]


@dataclass(frozen=True)
class Plan:
    """The parameters of an examiner; small, and the same for every process."""

    options: Options
    tokenizer_dir: Path  # or its vocabulary file


class Examined(NamedTuple):
    """The result of examining a chunk.

    Attributes:
        encoded: its tokens.
        signatures: MinHash signatures, uint32 [samples, permutations]; None if not requested.
        shared: for each sample, the benchmark problems that it shares text with; None if not requested.
    """

    encoded: Encoded
    signatures: npt.NDArray[np.uint32] | None
    shared: list[list[str]] | None


def sample_texts(content: Dialogue | str) -> list[str]:
    """Return the texts that a sample consists of, as in its source."""
    if isinstance(content, str):
        return [content]
    return [content.system, *(text for exchange in content.exchanges for text in exchange)]


class Examiner:
    """Examines chunks according to its plan; `pad_id` is the token that fills up rows.

    Raises:
        MindrailError: the tokenizer or a benchmark file is unusable, or does not fit the format or `pad_id`.
    """

    def __init__(self, plan: Plan) -> None:
        self.options = plan.options
        self.tokenizer = load_tokenizer(plan.tokenizer_dir)
        self.encoder = _encoder(plan, self.tokenizer)
        closing = self.encoder.closing
        self.pad_id = padding_id(
            plan.options, self.tokenizer, tokenizer_home(plan.tokenizer_dir), closing=closing
        )
        self._benchmark: BenchmarkText | None = None
        if self.options.benchmarks:
            problems = {}
            for path in self.options.benchmarks:
                problems.update(read_benchmark_texts(Path(path)))
            self._benchmark = BenchmarkText(problems, self.options.ngram)

    def __call__(self, contents: Sequence[Dialogue | str]) -> Examined:
        """Examine one chunk."""
        encoded = self.encoder.encode(contents)
        if self.options.near_duplicates == "ignore" and self._benchmark is None:
            return Examined(encoded, None, None)
        texts = ["\n".join(sample_texts(content)) for content in contents]
        near = signatures(texts) if self.options.near_duplicates != "ignore" else None
        shared = [self._benchmark.shared_with(text) for text in texts] if self._benchmark else None
        return Examined(encoded, near, shared)


def _encoder(plan: Plan, tokenizer: Tokenizer) -> Encoder:
    options = plan.options
    if options.format not in FORMATS:
        return TextEncoder.of(tokenizer, specials=options.literal_specials)
    form = FORMATS[options.format]
    if options.compat == "mindformers":
        return mindformers_encoder(form, tokenizer, tokenizer_home(plan.tokenizer_dir), options.width)
    bos = begins_with_bos(plan.tokenizer_dir)
    return InstructionEncoder.of(form, tokenizer, specials=options.literal_specials, bos=bos)
