"""Every step as a flow of its own, for the dashboard and for schedules: one artifact in the store each.

What a step reads is named by its path: an artifact of an earlier run or any directory or file. The same
work with a destination of one's own is a command of `mindrail`.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from modelcore.config.schema import Convert, Download
from modelcore.store.store import Store
from tasks import convert as converting
from tasks import download as downloading
from tasks.given import given
from tasks.step import Step, finished

__all__ = ["convert", "download"]


@flow(name="download", flow_run_name="download {config.source}", persist_result=False)
def download(config: Download, store: str = "store") -> Step:
    """Fetch a Hugging Face checkpoint into the store.

    Args:
        config: the source and what to check.
        store: directory that holds every step's output.
    """
    return finished(downloading.download(Store(Path(store)), config))


@flow(name="convert", flow_run_name="convert {checkpoint}", persist_result=False)
def convert(checkpoint: str, config: Convert | None = None, store: str = "store") -> Step:
    """Convert a Hugging Face checkpoint for MindSpore.

    Args:
        checkpoint: directory with config.json, weights and tokenizer.
        config: format and dtype to write.
        store: directory that holds every step's output.
    """
    source = given(checkpoint, key="checkpoint")
    return finished(converting.convert(Store(Path(store)), source, config or Convert()))
