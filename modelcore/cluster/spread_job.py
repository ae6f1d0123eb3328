"""What is spread over the hosts of a cluster, as one JSON file, and the start of the process that does it.

A process of its own, because Ray ends the processes that are connected to a cluster when the cluster ends.
Ray itself is in that process only.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from modelcore.cluster.launch import check_ray
from modelcore.config.evaluation import Score
from modelcore.config.section import Section
from modelcore.config.training import Cluster
from modelcore.launching.gang import run_program
from modelcore.progress import Progress

__all__ = ["GenerateJob", "PreprocessJob", "ScoreJob", "run_spread"]

_HANG_TIMEOUT_S = 900.0


class PreprocessJob(Section):
    """What becomes rows.

    Attributes:
        sources: files of records.
        destination: FILE.mindrecord.
        tokenizer: directory with the tokenizer's files.
        choices: fields of `modelcore.data.options.Options`.
        cluster: the hosts.
    """

    sources: list[str]
    destination: str
    tokenizer: str
    choices: dict[str, Any]
    cluster: Cluster


class GenerateJob(Section):
    """What is generated.

    Attributes:
        plan: path of the generation's plan.
        environment: added to that of each program.
        cluster: the hosts.
    """

    plan: str
    environment: dict[str, str]
    cluster: Cluster


class ScoreJob(Section):
    """What is scored.

    Attributes:
        samples: path of the samples.
        benchmark: its name or file.
        destination: directory to write to.
        template: of the prompts.
        options: limits, isolation and k.
        cluster: the hosts.
    """

    samples: str
    benchmark: str
    destination: str
    template: str
    options: Score
    cluster: Cluster


def run_spread(
    kind: Literal["preprocess", "generate", "score"], job: Section, logs: Path, progress: Progress
) -> None:
    """Do a job on the hosts of its cluster, from a process of its own with its logs in a directory.

    Raises:
        MindrailError: Ray is not installed, there is no cluster, or the input is bad.
        StepFailed: the process failed.
    """
    check_ray()
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / "spread.json"
    path.write_text(job.model_dump_json(indent=1))
    run_program(
        [sys.executable, "-m", "modelcore.cluster.spread_program", kind, str(path)],
        log_dir=logs,
        hang_timeout=_HANG_TIMEOUT_S,
        progress=progress,
    )
