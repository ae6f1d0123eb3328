"""The demo: the pipeline of configs/demo/pipeline.yaml, with the few things worth turning as a form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from flows.pipeline import Run, pipeline
from modelcore.config.reading import read_config
from modelcore.config.schema import Pipeline

__all__ = ["DEMO", "demo"]

DEMO = Path(__file__).parents[1] / "configs" / "demo" / "pipeline.yaml"

_LAYOUTS = {
    "data_parallel 2": ("parallel.data_parallel=2", "parallel.model_parallel=1"),
    "model_parallel 2": ("parallel.data_parallel=1", "parallel.model_parallel=2"),
}


@flow(name="demo", flow_run_name="demo {layout} seed {seed}", persist_result=False)
def demo(
    layout: Annotated[
        Literal["data_parallel 2", "model_parallel 2"], Field(description="How the two ranks share the work")
    ] = "data_parallel 2",
    seed: Annotated[int, Field(ge=0, description="Order of the training rows")] = 1,
    steps: Annotated[int | None, Field(ge=1, description="Optimizer steps; as configured if empty")] = None,
    store: Annotated[str, Field(description="Directory that holds every step's output")] = "store",
) -> Run:
    """Train a small llama from random weights to write first programs, and score it before and after.

    Args:
        layout: how the two ranks share the work.
        seed: order of the training rows.
        steps: optimizer steps; as configured if empty.
        store: directory that holds every step's output.
    """
    overrides = [*_LAYOUTS[layout], f"seed={seed}", f"store={store}"]
    if steps is not None:
        overrides.append(f"train.steps={steps}")
    run: Run = pipeline.fn(read_config(DEMO, Pipeline, overrides))
    return run
