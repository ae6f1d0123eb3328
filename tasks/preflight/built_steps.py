"""What of a run is in the store already. Only manifests and config.json are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from modelcore.config.checkpoint import Convert
from modelcore.config.runs import Pretrain, Training
from modelcore.config.section import Section
from modelcore.config.training import Sharding
from modelcore.store.manifest import Manifest, file_sha256
from modelcore.store.store import Store
from tasks.preflight.directories import Directories

__all__ = ["finished_steps", "interrupted_bytes"]

Finder = Callable[..., list[Manifest]]


def finished_steps(config: Section, directories: Directories) -> set[str]:
    """Return the steps of a run that will be found in the store.

    Args:
        config: a run that trains, or the options of a single step.
        directories: the store and the model.
    """
    manifests = [artifact.manifest for artifact in Store(directories.store).artifacts()]

    def find(
        step: str, parameters: Mapping[str, Any], made_from: Collection[Manifest] | None = None
    ) -> list[Manifest]:
        digests = None if made_from is None else {manifest.digest for manifest in made_from}
        return [
            manifest
            for manifest in manifests
            if manifest.step == step
            and parameters.items() <= manifest.parameters.items()
            and (digests is None or digests & set(manifest.inputs.values()))
        ]

    if isinstance(config, Training) and directories.model is not None:
        found = _steps_of_training(config, directories.model, find)
    elif isinstance(config, Convert):
        found = {"convert": find("convert", config.model_dump())}
    elif isinstance(config, Sharding):
        found = {"shard": find("shard", _sharding(config))}
    else:
        found = {}
    return {step for step, artifacts in found.items() if artifacts}


def interrupted_bytes(store: Path) -> dict[str, int]:
    """Return the bytes that interrupted steps left behind, by step: a run resumes with them."""
    return {path.parent.name: _size(path) for path in store.glob("*/*.partial")}


def _steps_of_training(config: Training, model: Path, find: Finder) -> dict[str, list[Manifest]]:
    """Return the artifacts of each step: made by the same options from those of the step before."""
    described = {file_sha256(model / "config.json")} if (model / "config.json").is_file() else set()
    downloads = [one for one in find("download", {}) if described & {file.sha256 for file in one.files}]
    if isinstance(config, Pretrain) and config.random_weights:
        first, starts = "initialize", find("initialize", {"seed": config.seed}, downloads)
    else:
        first, starts = (
            "convert",
            find("convert", {**config.convert.model_dump(), "to": "mindspore"}, downloads),
        )
    shards = find("shard", _sharding(config.parallel), starts)
    # How many steps its epochs are is known with the rows only: such a run is taken as not yet trained.
    trained = [] if config.train.steps is None else find("launch", config.key_parameters, shards)
    merged = find("merge", {}, trained)
    exported = find("export", {}, merged)
    return {
        "download": downloads,
        first: starts,
        "shard": shards,
        "launch": trained,
        "merge": merged,
        "export": exported,
    }


def _sharding(config: Sharding) -> dict[str, Any]:
    return config.model_dump(include=set(Sharding.model_fields))


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
