"""Makes rows on the hosts of a cluster: this one reads, selects and writes, all tokenize, a chunk at a time.

The hosts work with copies of the tokenizer's files and of the benchmarks, so they need not see this disk.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray

from modelcore.cluster.spread import connected, spread
from modelcore.cluster.spread_job import PreprocessJob
from modelcore.data.encoding.chunks import Chunk
from modelcore.data.encoding.examine import Examined, Examiner, Plan
from modelcore.data.preprocess import preprocess
from modelcore.progress import Progress
from modelcore.store.model_files import COMPANIONS

__all__ = ["preprocess_on_hosts"]

Examinations = Generator[tuple[Chunk, Examined], None, None]


class _Copies:
    """Small files as they are sent to a host, and where they are on it."""

    def __init__(self, plan: Plan) -> None:
        home = plan.tokenizer_dir
        self.plan = plan
        self.tokenizer = {name: (home / name).read_bytes() for name in COMPANIONS if (home / name).is_file()}
        self.benchmarks = [
            (path.name, Path(path).read_bytes()) for path in map(Path, plan.options.benchmarks)
        ]

    def unpacked(self) -> Plan:
        """Write the files on this host; return the plan that names them."""
        place = Path(tempfile.mkdtemp(prefix="mindrail-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        (place / "tokenizer").mkdir()
        for name, contents in self.tokenizer.items():
            (place / "tokenizer" / name).write_bytes(contents)
        benchmarks = []
        for number, (name, contents) in enumerate(self.benchmarks):
            path = place / str(number) / name
            path.parent.mkdir()
            path.write_bytes(contents)
            benchmarks.append(path)
        options = self.plan.options.model_copy(update={"benchmarks": benchmarks})
        return replace(self.plan, options=options, tokenizer_dir=place / "tokenizer")


@lru_cache(maxsize=1)
def _examiner(copies: Any) -> Examiner:
    """Return the examiner of this process, which does many chunks."""
    files: _Copies = ray.get(copies)
    return Examiner(files.unpacked())


def _examine(copies: list[Any], chunk: Chunk) -> Examined:
    # In a list, so that Ray hands on the reference and not the files for every chunk.
    return _examiner(copies[0])(chunk.contents)


def preprocess_on_hosts(job: PreprocessJob, progress: Progress) -> None:
    """Write the rows of a job.

    Raises:
        MindrailError, StepFailed: as `preprocess`; there is no cluster.
    """

    def on_hosts(chunks: Iterator[Chunk], plan: Plan) -> Examinations:
        copies = ray.put(_Copies(plan))
        return spread(_examine, [copies], chunks, job.cluster)

    with connected(job.cluster.address):
        preprocess(
            [Path(source) for source in job.sources],
            Path(job.destination),
            tokenizer_dir=Path(job.tokenizer),
            examine=on_hosts,
            progress=progress,
            **job.choices,
        )
