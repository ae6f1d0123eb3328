"""What preprocessing lost: one warning with the numbers, and the share of samples that may be truncated.

What was left out on request (duplicates, contaminated samples) is in the report only.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from modelcore.data.report import PreprocessReport
from modelcore.errors import MindrailError

__all__ = ["KEPT_WHOLE", "SampleLengths", "check_truncated", "loss_warning"]

KEPT_WHOLE = 0.99
"""The share of samples for which the report names the least seq_length that truncates none of them."""


class SampleLengths:
    """Exact counts of the samples' tokens, before truncation; one number per distinct length is kept."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, lengths: npt.NDArray[np.int64]) -> None:
        """Count samples of these lengths, in tokens."""
        values, counts = np.unique(lengths, return_counts=True)
        self._counts.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))

    def seq_length(self, share: float) -> int:
        """Return the least seq_length whose rows hold this share of the samples whole; 0 without samples.

        A row holds one token more than seq_length.
        """
        lengths = sorted(self._counts)
        running = np.cumsum([self._counts[length] for length in lengths])
        if not lengths:
            return 0
        return max(1, lengths[int(np.searchsorted(running, share * running[-1]))] - 1)


def loss_warning(report: PreprocessReport) -> str | None:
    """Return one line on the data that was lost without being asked for, None if none was.

    Example:
        >>> loss_warning(report)
        'data lost: 1,495 of 2,017 samples truncated to seq_length 512 (801,240 tokens lost; seq_length 2210
        would hold 99% of the samples whole); 266 samples dropped because none of their tokens is in the loss'
    """
    parts = []
    if report.truncated:
        parts.append(
            f"{report.truncated:,} of {report.samples:,} samples truncated to seq_length "
            f"{report.seq_length} ({report.tokens_lost:,} tokens lost{_length_that_fits(report)})"
        )
    if report.wholly_masked:
        action = "kept although" if report.compat == "mindformers" else "dropped because"
        whose = "sample {} none of its" if report.wholly_masked == 1 else "samples {} none of their"
        parts.append(f"{report.wholly_masked:,} {whose.format(action)} tokens is in the loss")
    if report.bad:
        parts.append(f"{report.bad:,} of {report.records_in:,} records left out because they are invalid")
    return f"data lost: {'; '.join(parts)}" if parts else None


def check_truncated(report: PreprocessReport, most: float, *, where: object) -> None:
    """Check that at most this share of the samples was truncated.

    Args:
        report: on the rows.
        most: 0 to 1.
        where: what an error names: the key, or the source.

    Raises:
        MindrailError: more samples are truncated; the line has the seq_length that holds 99 % of them.
    """
    share = report.truncated / max(1, report.samples)
    if share > most:
        raise MindrailError(
            f"{share:.1%} of the samples ({report.truncated:,} of {report.samples:,}) are truncated to "
            f"seq_length {report.seq_length}, max_truncated is {most:.1%}",
            where=where,
            fix=f"set seq_length {report.seq_length_for_99} to keep {KEPT_WHOLE:.0%} of them whole, "
            "or raise max_truncated",
        )


def _length_that_fits(report: PreprocessReport) -> str:
    if report.seq_length_for_99 <= report.seq_length:  # more than 99 % are whole already
        return ""
    return f"; seq_length {report.seq_length_for_99} would hold {KEPT_WHOLE:.0%} of the samples whole"
