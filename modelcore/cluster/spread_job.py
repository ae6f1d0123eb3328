"""What is spread over the hosts of a cluster, as one JSON file, and the start of the process that does it.

A process of its own, because Ray ends the processes that are connected to a cluster when the cluster ends.
Ray itself is in that process only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from modelcore.cluster.job import FAILED_WORK
from modelcore.cluster.launch import check_ray
from modelcore.config.evaluation import Score
from modelcore.config.reading import parse
from modelcore.config.section import Section
from modelcore.config.training import Cluster
from modelcore.errors import MindrailError, StepFailed
from modelcore.launching.gang import run_program
from modelcore.launching.rank_environment import PROGRESS_VARIABLE
from modelcore.progress import FileProgress, Progress, silent
from modelcore.store.json_file import read_json_object

__all__ = ["GenerateJob", "PreprocessJob", "ScoreJob", "do_spread", "run_spread"]

Job = TypeVar("Job", bound=Section)
Kind: TypeAlias = Literal["preprocess", "generate", "score"]

_PROGRAMS: Mapping[Kind, tuple[str, ...]] = {
    "preprocess": ("modelcore.cluster.spread_program", "preprocess"),
    "generate": ("modelcore.generation.on_hosts",),
    "score": ("modelcore.cluster.spread_program", "score"),
}
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


def run_spread(kind: Kind, job: Section, logs: Path, progress: Progress) -> None:
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
        [sys.executable, "-m", *_PROGRAMS[kind], str(path)],
        log_dir=logs,
        hang_timeout=_HANG_TIMEOUT_S,
        progress=progress,
    )


def do_spread(path: Path, schema: type[Job], work: Callable[[Job, Progress], None]) -> int:
    """Do the job in a file, in the process that `run_spread` starts; return its exit code."""
    progress = os.environ.get(PROGRESS_VARIABLE)
    try:
        job = parse(read_json_object(path), schema, where=path)
        work(job, FileProgress(Path(progress)) if progress else silent)
    except StepFailed as error:
        print(error, file=sys.stderr)
        return FAILED_WORK
    except MindrailError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0
