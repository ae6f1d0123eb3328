"""One rank of test_evaluation.py: trains a step, then judges the next two steps' rows.

`evaluating_program.py plan.json`; each rank writes evaluated_<rank>.json into the plan's output.
"""

import json
import os
import sys
from pathlib import Path

from modelcore.progress import FileProgress
from modelcore.training.plan import TrainPlan

plan, rank = TrainPlan.read(Path(sys.argv[1])), int(os.environ["RANK_ID"])
if plan.layout.world_size > 1:
    from mindspore.communication import init

    init()
from modelcore.training.job import Job  # noqa: E402  after init

job = Job(plan, rank, FileProgress(Path(os.environ["MINDRAIL_PROGRESS"])))
job.run(1)
found = [job.step.evaluate(job._batches(step)) for step in (1, 2)]
(Path(plan.output) / f"evaluated_{rank}.json").write_text(json.dumps(found))
job.agreement.barrier()
