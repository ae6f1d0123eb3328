"""Runs a job on the cluster of the host that it runs on: `python launching_program.py job.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from modelcore.cluster.job import JobInput
from modelcore.cluster.launch import run_on_cluster
from modelcore.config.training import Cluster
from modelcore.errors import MindrailError

if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text())
    try:
        run_on_cluster(
            job["arguments"],
            Cluster(**job["cluster"]),
            log_dir=Path(job["logs"]),
            inputs=[JobInput(**one) for one in job["inputs"]],
            output=Path(job["output"]),
            retries=job["retries"],
            start_timeout=400,  # other tests use the machine, too
            hang_timeout=job["hang_timeout"],
        )
    except MindrailError as error:
        print(error)
        sys.exit(error.exit_code)
