"""Decides which samples are kept and which of those are for validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from modelcore.data.encoding.chunks import Chunk
from modelcore.data.encoding.examine import Examined, sample_texts
from modelcore.data.encoding.samples import Sample
from modelcore.data.options import Options
from modelcore.data.quality.duplicates import ExactDuplicates, NearDuplicates, content_digest
from modelcore.data.report import LISTED, PreprocessReport
from modelcore.errors import MindrailError

__all__ = ["Selector"]

Mask = npt.NDArray[np.bool_]


class Selector:
    """Decides sample by sample, in the source's order, and counts in the report which it drops."""

    def __init__(self, options: Options, report: PreprocessReport) -> None:
        self._options = options
        self._report = report
        self._exact = ExactDuplicates() if options.drop_duplicates else None
        is_searched = options.near_duplicates != "ignore"
        self._near = NearDuplicates(options.near_threshold) if is_searched else None

    def first_pass(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yield the samples to examine: all, or all but exact duplicates if those are dropped."""
        for sample in samples:
            if self._exact and not self._exact.is_new(content_digest(sample_texts(sample.content))):
                self._report.duplicates += 1
                self._report.add_records("duplicates", [sample.number])
            else:
                yield sample

    def second_pass(self, chunk: Chunk, examined: Examined) -> tuple[Mask, Mask]:
        """Return two masks over the chunk: which samples are kept, and which are for validation.

        Raises:
            MindrailError: a sample shares text with a benchmark, and `contaminated` is "fail".
        """
        keep = np.ones(len(chunk.samples), np.bool_)
        if examined.shared is not None:
            self._check_contamination(chunk, examined.shared, keep)
        if self._near and examined.signatures is not None:
            self._check_near(self._near, chunk, examined.signatures, keep)
        return keep, self._for_validation(chunk)

    def _check_contamination(self, chunk: Chunk, shared: list[list[str]], keep: Mask) -> None:
        for index, (sample, problems) in enumerate(zip(chunk.samples, shared, strict=True)):
            if not problems:
                continue
            if self._options.contaminated == "fail":
                raise MindrailError(
                    f"record {sample.number} shares text with {', '.join(problems)}",
                    where="contamination",
                    fix="set contaminated to drop or report",
                )
            self._report.contaminated += 1
            self._report.add_records("contaminated", [sample.number])
            for problem in problems:
                numbers = self._report.contamination.setdefault(problem, [])
                numbers += [sample.number][: LISTED - len(numbers)]
            keep[index] &= self._options.contaminated != "drop"

    def _check_near(
        self, near: NearDuplicates, chunk: Chunk, signatures: npt.NDArray[np.uint32], keep: Mask
    ) -> None:
        for index, sample in enumerate(chunk.samples):
            if keep[index] and near.earlier(sample.number, signatures[index]) is not None:
                self._report.near_duplicates += 1
                self._report.add_records("near_duplicates", [sample.number])
                keep[index] = self._options.near_duplicates != "drop"

    def _for_validation(self, chunk: Chunk) -> Mask:
        if not self._options.validation:
            return np.zeros(len(chunk.samples), np.bool_)
        digests = (content_digest(sample_texts(sample.content)) for sample in chunk.samples)
        # Equal contents have equal digests, so a duplicate is never in both training and validation.
        shares = np.array([int.from_bytes(digest[:8], "big") for digest in digests], np.float64) / 2.0**64
        return shares < self._options.validation
