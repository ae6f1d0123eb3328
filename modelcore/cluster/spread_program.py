"""Does a job on the hosts of a cluster: `python -m modelcore.cluster.spread_program KIND job.json`.

KIND is preprocess, generate or score. Exit codes as the cluster's driver: 0 done, 2 bad input, 75 failed
work. The work is in modules of their own, as Ray sends functions of this one by value.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from modelcore.cluster.job import FAILED_WORK
from modelcore.cluster.spread_generate import generate_on_hosts
from modelcore.cluster.spread_job import GenerateJob, PreprocessJob, ScoreJob
from modelcore.cluster.spread_preprocess import preprocess_on_hosts
from modelcore.cluster.spread_score import score_on_hosts
from modelcore.config.reading import parse
from modelcore.errors import MindrailError, StepFailed
from modelcore.launching.rank_environment import PROGRESS_VARIABLE
from modelcore.progress import FileProgress, silent
from modelcore.store.json_file import read_json_object


def main(arguments: list[str]) -> int:
    """Do the job in the file named by the last argument; return the exit code."""
    file = os.environ.get(PROGRESS_VARIABLE)
    progress = FileProgress(Path(file)) if file else silent
    try:
        kind, path = arguments[0], Path(arguments[1])
        if kind == "generate":
            generate_on_hosts(parse(read_json_object(path), GenerateJob, where=path), progress)
        elif kind == "score":
            score_on_hosts(parse(read_json_object(path), ScoreJob, where=path), progress)
        else:
            preprocess_on_hosts(parse(read_json_object(path), PreprocessJob, where=path), progress)
    except StepFailed as error:
        print(error, file=sys.stderr)
        return FAILED_WORK
    except MindrailError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
