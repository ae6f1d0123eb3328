"""Preparing a model to generate on several devices: its source goes in, one file per rank comes out.

Nothing is generated: MindFormers' ranks load these files, and those of the flow predict-prompts could.
"""

from __future__ import annotations

from flows.run_flow import run_flow
from flows.train import whole_checkpoint
from modelcore.config.runs import Predict
from modelcore.store.location import store_directory
from modelcore.store.store import Store
from tasks.download import download
from tasks.log import log
from tasks.preflight import preflight
from tasks.shard import shard
from tasks.step import Step
from tasks.step_task import finished

__all__ = ["predict"]


@run_flow("predict", run_name="{config.name}")
def predict(config: Predict) -> Step:
    """Download and convert a model and divide it among the ranks that will generate with it.

    Args:
        config: the model, its format and its layout.
    """
    store = Store(store_directory(config.store))
    preflight(config)
    source = finished(download(store, config.download))
    for note in preflight(config, model=source.path):
        log(f"note: {note}")
    whole = finished(whole_checkpoint(store, source, config))
    return finished(shard(store, whole, config.parallel, config.convert.format))
