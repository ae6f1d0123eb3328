"""Checks what can be known here of a run on several hosts; the hosts themselves are asked when it starts."""

from __future__ import annotations

from modelcore.cluster.launch import check_ray
from modelcore.config.data import Preprocess
from modelcore.config.evaluation import Generate, Score
from modelcore.config.training import Launch
from tasks.preflight.directories import Directories

__all__ = ["check_cluster"]


def check_cluster(config: Launch | Preprocess | Generate | Score, _: Directories) -> None:
    """Check that Ray is installed where it is needed.

    Raises:
        MindrailError: it is not.
    """
    if config.cluster is not None:
        check_ray(config.cluster.address)
