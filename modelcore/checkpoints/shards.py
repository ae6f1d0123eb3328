"""Finds the parts of a sharded checkpoint: each rank's file and its strategy.

Reads the directories that this project writes and those of MindFormers (`strategy/` beside `rank_<r>/` or
beside `checkpoint/rank_<r>/`). Nothing is guessed: a rank without a file, two files for one rank and strategy
files that contradict each other are refused. Tensors are not read here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.parallel.strategy import Strategy, read_strategy

__all__ = ["Shards", "find_shards", "rank_file", "read_strategies", "strategy_directory"]

# Five digits: what lists the ranks up to the largest stays short.
_RANK = re.compile(r"rank_([0-9]{1,5})")
_STRATEGY = re.compile(r"rank_([0-9]{1,5})\.ckpt$")
_STEP = re.compile(r"-([0-9]+)_([0-9]+)$")
_SUFFIXES = (".ckpt", ".safetensors")


@dataclass(frozen=True)
class Shards:
    """A sharded checkpoint: each rank's file and strategy, ranks in order.

    Attributes:
        files: the checkpoint of each rank of the world.
        strategies: the strategy of each rank.
        devices: ranks of one pipeline stage; rank % devices is the device number within the stage.
    """

    files: Mapping[int, Path]
    strategies: Mapping[int, Strategy]
    devices: int


def rank_file(directory: Path, rank: int, format: str = "ckpt") -> Path:
    """Return the path of a rank's file in a sharded checkpoint that this project writes."""
    return directory / f"rank_{rank}" / f"checkpoint_{rank}.{format}"


def find_shards(directory: Path, *, other: Path | None = None, newest: bool = False) -> Shards:
    """Find the parts of the sharded checkpoint in `directory`.

    Args:
        directory: holds `rank_<r>/`, or `checkpoint/rank_<r>/` as MindFormers' output does.
        other: a directory with `strategy/`, used if there is none in `directory` or beside it.
        newest: if a rank has several checkpoints, take the last by epoch and step in their names.

    Raises:
        MindrailError: something is missing, there twice or contradictory; the file or directory is named.
    """
    base = directory if _rank_directories(directory) else directory / "checkpoint"
    if not _rank_directories(base):
        raise MindrailError("holds no rank_0/, rank_1/, … with checkpoints", where=directory)
    strategies, devices = read_strategies(strategy_directory(directory, other))
    return Shards(_rank_files(base, range(len(strategies)), newest=newest), strategies, devices)


def _rank_files(directory: Path, ranks: range, *, newest: bool = False) -> dict[int, Path]:
    """Find the one checkpoint of each rank in `directory`/rank_<r>/.

    Raises:
        MindrailError: a rank has none or several, or there are more ranks; the directory is named.
    """
    places = _rank_directories(directory)
    _check_world(directory, set(places), set(ranks))
    files = {rank: _checkpoint(places[rank], newest) for rank in ranks}
    if newest:
        _check_steps(files)
    if len({path.suffix for path in files.values()}) > 1:
        raise MindrailError("some ranks have .ckpt files, others .safetensors", where=directory)
    return files


def read_strategies(directory: Path) -> tuple[dict[int, Strategy], int]:
    """Read a directory of `*rank_<r>.ckpt` strategy files.

    Returns:
        Each rank's strategy, ranks in order, and the number of devices of a stage.

    Raises:
        MindrailError: there are none, ranks are missing, or device matrices and stages do not agree.
    """
    paths: dict[int, Path] = {}
    for path in sorted(directory.glob("*.ckpt")):
        if match := _STRATEGY.search(path.name):
            _add_once(paths, int(match.group(1)), path)
    if not paths:
        raise MindrailError("there are no strategy files (ckpt_strategy_rank_<r>.ckpt)", where=directory)
    missing = [rank for rank in range(max(paths)) if rank not in paths]
    if missing:
        raise MindrailError(f"the strategy file of rank {missing[0]} is missing", where=directory)
    strategies = {rank: read_strategy(paths[rank]) for rank in sorted(paths)}
    sizes = {
        math.prod(layout.device_matrix): paths[rank]
        for rank, strategy in strategies.items()
        for layout in strategy.layouts.values()
    }
    if len(sizes) > 1:
        raise MindrailError(
            f"strategy files with device matrices of {sorted(sizes)} devices", where=list(sizes.values())[-1]
        )
    devices = next(iter(sizes))
    for rank, strategy in strategies.items():
        if strategy.stage != rank // devices:
            raise MindrailError(
                f"stage {strategy.stage}; with {devices} devices per stage it should be {rank // devices}",
                where=paths[rank],
            )
    if len(strategies) % devices:
        raise MindrailError(
            f"{len(strategies)} strategy files, {devices} devices per stage: some are missing",
            where=directory,
        )
    return strategies, devices


def _rank_directories(base: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(base.glob("rank_*")):
        match = _RANK.fullmatch(path.name)
        if match and path.is_dir():
            _add_once(found, int(match.group(1)), path)
    return found


def _add_once(found: dict[int, Path], rank: int, path: Path) -> None:
    if rank in found:
        raise MindrailError(
            f"is for rank {rank}, and so is {found[rank].name}", where=path, fix="leave only one"
        )
    found[rank] = path


def strategy_directory(directory: Path, other: Path | None) -> Path:
    """Return the strategy/ of a sharded checkpoint: in its directory, beside it, or in `other`.

    Raises:
        MindrailError: there is none.
    """
    for place in (directory, directory.parent, *([other] if other else [])):
        if (place / "strategy").is_dir():
            return place / "strategy"
    raise MindrailError(
        "there is no strategy/ in it or beside it",
        where=directory,
        fix="add the strategy files: shards cannot be read without them",
    )


def _check_world(directory: Path, ranks: set[int], strategies: set[int]) -> None:
    if missing := sorted(strategies - ranks):
        raise MindrailError(
            f"the shards of rank {missing[0]} of {len(strategies)} are missing", where=directory
        )
    if unknown := sorted(ranks - strategies):
        raise MindrailError(
            f"rank_{unknown[0]} has no strategy file; there are {len(strategies)}",
            where=directory,
            fix="the strategy files are of another run",
        )


def _checkpoint(directory: Path, newest: bool) -> Path:
    found = sorted(path for path in directory.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    if not found:
        raise MindrailError(
            "holds no .ckpt or .safetensors file: this rank's shards are missing", where=directory
        )
    if len(found) > 1 and not newest:
        raise MindrailError(
            f"holds {len(found)} checkpoints ({found[0].name}, {found[1].name}, …)",
            where=directory,
            fix="use --newest or leave only one",
        )
    return max(found, key=_step) if len(found) > 1 else found[0]


def _step(path: Path) -> tuple[int, int]:
    """Return (epoch, step) from MindSpore's name `<prefix>-<epoch>_<step>.ckpt`."""
    match = _STEP.search(path.stem)
    if not match:
        raise MindrailError("its name does not end in -<epoch>_<step>: which is the newest?", where=path)
    return int(match.group(1)), int(match.group(2))


def _check_steps(files: Mapping[int, Path]) -> None:
    steps = {rank: match.groups() for rank, path in files.items() if (match := _STEP.search(path.stem))}
    if len(set(steps.values())) > 1:
        first, *rest = steps.items()
        rank, step = next(one for one in rest if one[1] != first[1])
        raise MindrailError(
            f"epoch and step {'_'.join(step)}, rank {first[0]} has {'_'.join(first[1])}", where=files[rank]
        )
