"""Everything that can be known before work is checked before work, by every command and every flow.

No Prefect here: the command line checks before it starts a server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from modelcore.config.checkpoint import Download
from modelcore.config.data import Preprocess
from modelcore.config.evaluation import Generate, Score
from modelcore.config.runs import Evaluate, Pipeline, Pretrain, Run, Training
from modelcore.config.section import Section
from modelcore.config.training import Launch, Sharding
from modelcore.errors import MindrailError
from modelcore.store.location import store_directory
from modelcore.versions import check_versions
from tasks.precision import with_precision
from tasks.preflight.cluster import check_cluster
from tasks.preflight.data import check_data
from tasks.preflight.device_memory import check_device_memory
from tasks.preflight.directories import Directories
from tasks.preflight.disk_space import check_disk_space, existing
from tasks.preflight.environment import check_environment
from tasks.preflight.evaluation import check_baseline, check_checkpoints, check_isolation, check_questions
from tasks.preflight.host_memory import check_host_memory
from tasks.preflight.model import check_context, layout_notes
from tasks.preflight.resume import check_resume
from tasks.preflight.source import check_source

__all__ = ["Problems", "every_problem", "preflight"]

_Check = Callable[[Any, Directories], tuple[str, ...] | None]

_CHECKS: tuple[tuple[type[Section], _Check], ...] = (
    (Preprocess, check_data),
    (Sharding, layout_notes),
    (Launch, check_environment),
    (Launch, check_cluster),
    (Preprocess, check_cluster),
    (Generate, check_cluster),
    (Score, check_cluster),
    (Generate, check_environment),
    (Generate, check_questions),
    (Pipeline, check_baseline),
    (Score, check_isolation),
    (Evaluate, check_checkpoints),
    (Training, check_context),
    (Training, check_resume),
    (Training, check_device_memory),
    (Training, check_host_memory),
)
"""In this order: what takes no time and names one key comes first."""

_BY_CONFIG_JSON = {layout_notes, check_context, check_device_memory, check_host_memory}
_OF_THIS_MACHINE = {check_host_memory, check_isolation}


def preflight(
    config: Section,
    *,
    store: str = "store",
    model: Path | None = None,
    leave_out: Collection[type[Section]] = (),
) -> tuple[str, ...]:
    """Check a run, or the options of a single step, before anything is done.

    Of a source elsewhere, config.json and tokenizer are fetched first; then it is called again with `model`.

    Args:
        config: a run's configuration, or one section of it.
        store: directory of the artifacts; a run's configuration names its own.
        model: directory on this machine with the model's config.json and tokenizer; that of `download.source`
            if not given.
        leave_out: sections whose inputs are yet to be generated.

    Returns:
        What a user should know, one line each.

    Raises:
        MindrailError: something cannot work; the line names the key, or the package of a wrong version.
    """
    check_versions()
    if isinstance(config, Training):
        config = with_precision(config)
    sections = [config, *(value for _, value in config if isinstance(value, Section))]
    directories = Directories(store_directory(config.store if isinstance(config, Run) else store), model)
    _check_store(directories.store)
    for section in sections:
        if isinstance(section, Download) and model is None:
            random_weights = isinstance(config, Pretrain) and config.random_weights
            directories = Directories(directories.store, check_source(section, weights=not random_weights))
    notes: list[str] = []
    for kind, check in _CHECKS:
        for section in sections:
            if isinstance(section, kind) and type(section) not in leave_out:
                notes += check(section, directories) or ()
    check_disk_space(config, directories)
    return tuple(notes)


@dataclass
class Problems:
    """Everything that keeps a run from working.

    Attributes:
        configuration: mistakes in the configuration or in what it names, one line each.
        machine: what this machine lacks.
        notes: what a user should know.
    """

    configuration: list[str] = field(default_factory=list)
    machine: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def every_problem(
    config: Run, *, model: Path | None, described: Path | None, leave_out: Collection[type[Section]] = ()
) -> Problems:
    """Do all checks of `preflight`, also after one has failed.

    Args:
        config: the run.
        model: directory on this machine with the model's config.json and tokenizer, None if it is elsewhere.
        described: directory with config.json, perhaps without a tokenizer; None if it is not known.
        leave_out: sections whose inputs are yet to be generated.
    """
    found, store = Problems(), store_directory(config.store)
    if isinstance(config, Training):
        config = with_precision(config)
    sections = [config, *(value for _, value in config if isinstance(value, Section))]

    def collect(into: list[str], check: Callable[[], Iterable[str] | None]) -> None:
        try:
            found.notes.extend(check() or ())
        except MindrailError as error:
            into.append(str(error))

    collect(found.machine, check_versions)
    collect(found.machine, lambda: _check_store(store))
    random_weights = isinstance(config, Pretrain) and config.random_weights
    for download in sections:
        if isinstance(download, Download) and not leave_out:
            collect(found.configuration, partial(_check_download, download, weights=not random_weights))
    for kind, check in _CHECKS:
        directory = described if check in _BY_CONFIG_JSON else model
        into = found.machine if check in _OF_THIS_MACHINE else found.configuration
        for section in sections:
            if isinstance(section, kind) and type(section) not in leave_out:
                collect(into, partial(check, section, Directories(store, directory)))
    collect(found.machine, lambda: check_disk_space(config, Directories(store, described)))
    return found


def _check_download(config: Download, *, weights: bool) -> None:
    check_source(config, weights=weights)


def _check_store(store: Path) -> None:
    parent = existing(store)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise MindrailError(
            f"cannot write in {parent}", where=f"store: {store}", fix="choose another directory with --store"
        )
