"""What `preprocess` takes: the configuration's row options, and two more for callers of the library."""

from __future__ import annotations

from pydantic import Field

from modelcore.config.data import RowOptions
from modelcore.config.section import NonNegativeInt

__all__ = ["Options"]


class Options(RowOptions):
    """What decides the rows, apart from the source and the vocabulary."""

    literal_specials: bool = Field(
        True,
        description=(
            "A special token written out in the data (`</s>`) becomes its id, as in transformers; otherwise "
            "it is read as ordinary characters"
        ),
    )
    rows_per_file: NonNegativeInt = Field(
        0, description="Rows per file, spread over FILE_0, FILE_1, …; 0 writes one file"
    )

    @property
    def width(self) -> int:
        """Tokens per row: one more than the network reads."""
        return self.seq_length + 1
