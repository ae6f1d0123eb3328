"""How `finetune` and `pretrain` print their result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.cli.runs import plain_steps, show_steps

if TYPE_CHECKING:
    from flows.train import TrainedRun

__all__ = ["as_plain", "show"]


def as_plain(run: TrainedRun) -> dict[str, Any]:
    """Return a training run as the JSON object that `--json` prints."""
    return {
        "name": run.name,
        "steps": plain_steps(run.steps),
        "seconds": round(run.seconds, 1),
        "mindspore": str(run.mindspore),
        "hugging_face": str(run.hugging_face),
        "report": str(run.report),
    }


def show(result: dict[str, Any]) -> None:
    """Print the steps and where the trained model is."""
    console = show_steps(result["steps"])
    console.print(f"for MindSpore     {result['mindspore']}")
    console.print(f"for transformers  {result['hugging_face']}")
    console.print(f"report            {result['report']}")
    console.print(f"{result['seconds']:.0f} s in all")
