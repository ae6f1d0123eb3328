"""Does a job on the hosts of a cluster: `python -m modelcore.cluster.spread_program KIND job.json`.

KIND is preprocess or score. Exit codes as the cluster's driver: 0 done, 2 bad input, 75 failed
work. The work is in modules of their own, as Ray sends functions of this one by value.
"""

from __future__ import annotations

import sys
from pathlib import Path

from modelcore.cluster.spread_job import PreprocessJob, ScoreJob, do_spread
from modelcore.cluster.spread_preprocess import preprocess_on_hosts
from modelcore.cluster.spread_score import score_on_hosts


def main(arguments: list[str]) -> int:
    """Do the job in the file named by the last argument; return the exit code."""
    kind, path = arguments[0], Path(arguments[1])
    if kind == "score":
        return do_spread(path, ScoreJob, score_on_hosts)
    return do_spread(path, PreprocessJob, preprocess_on_hosts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
