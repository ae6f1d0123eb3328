"""What the driver of a job on a cluster reads, as one JSON file."""

from __future__ import annotations

import json
from pathlib import Path

from modelcore.config.reading import parse
from modelcore.config.section import NonNegativeInt, PositiveFloat, PositiveInt, Section
from modelcore.config.training import Cluster
from modelcore.store.json_file import read_json_object

__all__ = ["BUG", "CLUSTER_LOST", "FAILED_WORK", "ClusterJob", "JobInput"]

BUG = 70
"""Exit code of the driver for a bug (EX_SOFTWARE); with 1 Ray ends a process whose cluster is gone."""

CLUSTER_LOST = 1
"""Exit code of a driver whose cluster is gone, or has been started anew: Ray's own, too."""

FAILED_WORK = 75
"""Exit code of the driver for failed work (EX_TEMPFAIL of sysexits.h)."""


class JobInput(Section):
    """A file that ranks read.

    Attributes:
        path: of the file, the same on all hosts.
        rank: that reads it; None: every rank does.
    """

    path: str
    rank: NonNegativeInt | None = None


class ClusterJob(Section):
    """One job.

    Attributes:
        arguments: of the Python that each rank is: a module and its arguments.
        cluster: where it runs.
        logs: directory of the logs and of the attempts' journal, which all hosts see.
        inputs: files that the ranks read.
        output: directory that the ranks fill, for hosts that do not see it; null: all must see it.
        environment: added to that of each rank.
        start_timeout: seconds to the first progress, doubled after each start that hung.
        hang_timeout: seconds without progress after which an attempt is ended.
        hang_steps: the same in steps of the usual length, while steps are taken.
        program_retries: how often the job is started again after a fault of the program's own.
    """

    arguments: list[str]
    cluster: Cluster
    logs: str
    inputs: list[JobInput]
    output: str | None
    environment: dict[str, str]
    start_timeout: PositiveFloat
    hang_timeout: PositiveFloat
    hang_steps: PositiveInt | None
    program_retries: NonNegativeInt

    def write(self, path: Path) -> None:
        """Write the job as JSON."""
        path.write_text(json.dumps(self.model_dump(), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> ClusterJob:
        """Read a job.

        Raises:
            MindrailError: the file is not JSON of a job; the key is named.
        """
        return parse(read_json_object(path), cls, where=path)
