"""pass@k: the unbiased estimate of the probability that one of k samples is correct, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["PassAtK", "pass_at_k", "pass_probability"]

_RESAMPLES = 10_000
_CONFIDENCE = 0.95
_SEED = 0
_DIGITS = 6


@dataclass(frozen=True)
class PassAtK:
    """pass@k over the problems of a benchmark, with a 95 % bootstrap interval over problems."""

    k: int
    value: float
    low: float
    high: float


def pass_probability(samples: int, correct: int, k: int) -> float:
    """Return the unbiased estimate of pass@k for one problem.

    1 − C(n−c, k) / C(n, k), computed as a product (Chen et al. 2021, arXiv:2107.03374).

    Args:
        samples: n, the number of samples; at least k.
        correct: c, the number of correct samples.
        k: the number of attempts.
    """
    if samples - correct < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(samples - correct + 1, samples + 1)))


def pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> PassAtK:
    """Return pass@k averaged over problems.

    Args:
        counts: (samples, correct) of every problem; each has at least k samples.
        k: the number of attempts.

    Returns:
        The mean, and the 2.5 % and 97.5 % percentiles of the means of 10,000 resamples of the problems, all
        rounded to six digits. The resamples are the same in every run.
    """
    values = np.array([pass_probability(samples, correct, k) for samples, correct in counts])
    generator = np.random.Generator(np.random.PCG64(_SEED))
    means = np.empty(_RESAMPLES)
    for start in range(0, _RESAMPLES, 1000):
        chosen = generator.integers(0, len(values), size=(1000, len(values)))
        means[start : start + 1000] = values[chosen].mean(axis=1)
    tail = 100 * (1 - _CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return PassAtK(k, *(round(float(number), _DIGITS) for number in (values.mean(), low, high)))
