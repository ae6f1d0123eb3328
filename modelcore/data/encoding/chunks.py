"""Groups samples into chunks: large enough to tokenize efficiently, small enough to hold several."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from modelcore.data.encoding.examine import sample_texts
from modelcore.data.encoding.samples import Sample
from modelcore.data.sources.records import Dialogue

__all__ = ["Chunk", "chunked"]

SAMPLES = 1024
CHARACTERS = 1 << 20


@dataclass
class Chunk:
    """Samples in the source's order."""

    samples: list[Sample] = field(default_factory=list)

    @property
    def contents(self) -> list[Dialogue | str]:
        """The content of each sample."""
        return [sample.content for sample in self.samples]

    @property
    def numbers(self) -> list[int]:
        """The number of each sample in the source."""
        return [sample.number for sample in self.samples]


def chunked(samples: Iterable[Sample]) -> Generator[Chunk, None, None]:
    """Yield chunks of up to 1024 samples; a chunk also ends when it has a million characters."""
    chunk, size = Chunk(), 0
    for sample in samples:
        chunk.samples.append(sample)
        size += sum(map(len, sample_texts(sample.content)))
        if len(chunk.samples) == SAMPLES or size >= CHARACTERS:
            yield chunk
            chunk, size = Chunk(), 0
    if chunk.samples:
        yield chunk
