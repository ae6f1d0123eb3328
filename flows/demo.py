"""The demo: generate training programs, a benchmark and a random model, then run the pipeline on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from flows.pipeline import Run, run_pipeline
from flows.run_flow import run_flow
from modelcore.config.reading import read_config
from modelcore.demo.config import Demo
from modelcore.store.location import store_directory
from modelcore.store.store import Store
from tasks.demo_preflight import check_demo
from tasks.first_programs import first_programs
from tasks.planned_steps import step_names
from tasks.step_recorder import StepRecorder

__all__ = ["DEMO", "demo", "demo_from_config"]

DEMO = Path(__file__).parents[1] / "configs" / "demo.yaml"

_LAYOUTS = {
    "data_parallel 2": ("parallel.data_parallel=2", "parallel.model_parallel=1"),
    "model_parallel 2": ("parallel.data_parallel=1", "parallel.model_parallel=2"),
}


@run_flow("demo", run_name="demo {layout} seed {seed}")
def demo(
    layout: Annotated[
        Literal["data_parallel 2", "model_parallel 2"], Field(description="How the two ranks share the work")
    ] = "data_parallel 2",
    seed: Annotated[int, Field(ge=0, description="Order of the training rows")] = 1,
    steps: Annotated[int | None, Field(ge=1, description="Optimizer steps; as configured if empty")] = None,
    store: Annotated[str, Field(description="Directory that holds every step's output")] = "store",
) -> Run:
    """Train a small llama from random weights to write short programs, and score it before and after.

    Args:
        layout: how the two ranks share the work.
        seed: order of the training rows.
        steps: optimizer steps; as configured if empty.
        store: directory that holds every step's output.
    """
    overrides = [*_LAYOUTS[layout], f"seed={seed}", f"store={store}"]
    if steps is not None:
        overrides += [f"train.steps={steps}", f"train.warmup_steps={_warmup(steps)}"]
    return run_demo(read_config(DEMO, Demo, overrides))


def _warmup(steps: int) -> int:
    """Return the demo's own warm-up, or a tenth of a run that is no longer than that."""
    configured = read_config(DEMO, Demo).train.warmup_steps
    return configured if steps > configured else steps // 10


@run_flow("demo-from-config", run_name="{config.name}")
def demo_from_config(config: Demo) -> Run:
    """Run the demo with any of its keys changed, as `mindrail demo --set` does.

    Args:
        config: what to generate, and the keys of the pipeline.
    """
    return run_demo(config)


def run_demo(config: Demo) -> Run:
    """Generate the inputs and do the steps of the pipeline on them, within a flow."""
    check_demo(config)
    recorder, store = StepRecorder(step_names(config)), Store(store_directory(config.store))
    generated = recorder.record(first_programs(store, config.first_programs))
    return run_pipeline(config.pipeline(generated.path), recorder)
