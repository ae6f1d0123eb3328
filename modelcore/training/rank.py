"""The program each rank of a training job runs: `python -m modelcore.training.rank plan.json [until]`.

With `until` the job stops after that many steps and leaves a checkpoint. Who it is comes from the
environment (RANK_ID and MindSpore's MS_* variables); what it does, from the plan. It exits with 0 when done
and with 2, after one line on standard error, when an input is wrong or the loss is not a number.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.launching.rank_environment import supervised_progress
from modelcore.launching.rank_exit import exit_rank
from modelcore.models.graph_cache import Sources
from modelcore.training.plan import TrainPlan

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Run this rank's side of the job; return its exit code."""
    if len(arguments) not in (1, 2) or not all(number.isdecimal() for number in arguments[1:]):
        print("usage: python -m modelcore.training.rank plan.json [until]", file=sys.stderr)
        return 2
    try:
        sources = Sources(("models", "parallel", "training"))
        plan = TrainPlan.read(Path(arguments[0]))
        _set_up(plan)
        _train(plan, sources, int(arguments[1]) if arguments[1:] else None)
    except MindrailError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _set_up(plan: TrainPlan) -> None:
    """Set what MindSpore reads when it is imported."""
    if plan.precision == "bf16":
        os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "BF16"
    logs = Path(plan.output) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MS_OM_PATH", str(logs))  # where MindSpore puts what it dumps when a compile fails
    os.environ.setdefault("GLOG_v", "3")  # errors only; its warnings would bury the loss lines


def _train(plan: TrainPlan, sources: Sources, until: int | None) -> None:
    from mindspore.communication import init

    from modelcore.training.job import Job

    rank = int(os.environ.get("RANK_ID", "0"))
    if plan.layout.world_size > 1:
        # MS_WORKER_NUM with a scheduler, RANK_SIZE alone with a rank table.
        ranks = os.environ.get("MS_WORKER_NUM", os.environ.get("RANK_SIZE", "1"))
        plan.layout.check_world_size(int(ranks))
        init()
    Job(plan, rank, supervised_progress(), sources).run(until)


if __name__ == "__main__":
    exit_rank(main(sys.argv[1:]))
