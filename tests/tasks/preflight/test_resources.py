"""What does not fit disk or memory is refused with the numbers; what the store holds is not counted again."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelcore.config.checkpoint import Convert
from modelcore.config.runs import Pretrain, Training
from modelcore.config.training import Parallel
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.store.store import Artifact, Store
from tasks.layout import dry_run_of
from tasks.preflight import host_memory, preflight
from tasks.preflight.built_steps import finished_steps
from tasks.preflight.directories import Directories
from tasks.preflight.disk_space import disk_needs
from tests.local_runs import Runs


def training(runs: Runs, *changes: str, kind: str = "finetune") -> Training:
    config = runs.read(kind, *changes)
    assert isinstance(config, Training)
    return config


def directories(runs: Runs) -> Directories:
    return Directories(runs.store, runs.model)


def elements(runs: Runs) -> int:
    shapes = read_model(runs.model).config.parameter_shapes().values()
    count = 0
    for shape in shapes:
        size = 1
        for axis in shape:
            size *= axis
        count += size
    return count


def test_every_step_that_writes_weights_is_counted(runs: Runs) -> None:
    whole = 4 * elements(runs)  # the model's weights are fp32
    needs = disk_needs(
        training(runs, "train.steps=100", "train.checkpoint_every=10", "train.keep=2"), directories(runs)
    )
    assert needs == {
        "download": whole,
        "convert": whole,
        "shard": whole,
        "launch": 3 * (whole + 2 * whole),  # a third checkpoint is written before the oldest of two goes
        "merge": whole,
        "export": whole,
    }


def test_a_run_with_epochs_is_counted_with_all_the_checkpoints_it_keeps(runs: Runs) -> None:
    epochs = training(runs, "train.steps=null", "train.epochs=1", "train.keep=2")
    most = training(runs, "train.steps=100000", "train.keep=2")
    assert disk_needs(epochs, directories(runs)) == disk_needs(most, directories(runs))
    assert "launch" not in finished_steps(epochs, directories(runs))


def test_weights_that_are_cast_need_less_and_replicas_more(runs: Runs) -> None:
    whole = 4 * elements(runs)
    replicas = ("parallel.data_parallel=2", "launch.world_size=2", "convert.dtype=bf16", "train.steps=10")
    needs = disk_needs(training(runs, *replicas), directories(runs))
    assert (needs["convert"], needs["shard"]) == (whole // 2, whole)
    assert needs["launch"] == 2 * whole  # no checkpoint falls into ten steps
    assert disk_needs(training(runs, *replicas, "parallel.shard_optimizer=true"), directories(runs)) == needs


def test_optimizer_states_that_are_shared_are_written_once(runs: Runs) -> None:
    often = ("parallel.data_parallel=2", "launch.world_size=2", "train.checkpoint_every=1", "train.keep=1")
    each = disk_needs(training(runs, *often), directories(runs))["launch"]
    shared = disk_needs(training(runs, *often, "parallel.shard_optimizer=true"), directories(runs))["launch"]
    assert each - shared == 2 * 2 * 4 * elements(runs)  # two checkpoints, two states, one replica less


def test_random_weights_are_neither_downloaded_nor_converted(runs: Runs) -> None:
    config = training(runs, "random_weights=true", kind="pretrain")
    needs = disk_needs(config, directories(runs))
    assert isinstance(config, Pretrain) and "convert" not in needs
    assert (needs["download"], needs["initialize"]) == (0, 4 * elements(runs))


def test_single_steps_are_counted_alone(runs: Runs) -> None:
    whole = 4 * elements(runs)
    assert disk_needs(Convert(dtype="fp16"), directories(runs)) == {"convert": whole // 2}
    assert disk_needs(Parallel(data_parallel=3), directories(runs)) == {"shard": 3 * whole}


def test_without_a_config_json_nothing_is_known(runs: Runs) -> None:
    assert disk_needs(training(runs), Directories(runs.store, None)) == {}


def free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("tasks.preflight.disk_space.shutil.disk_usage", lambda _: SimpleNamespace(free=size))


def test_too_little_room_is_refused_with_the_numbers_and_the_directory(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = training(runs)
    needed = sum(disk_needs(config, directories(runs)).values())
    free(monkeypatch, needed)
    assert preflight(config) == ()
    free(monkeypatch, needed - 1)
    with pytest.raises(MindrailError) as refused:
        preflight(config)
    line = str(refused.value)
    assert line.startswith(f"store: {runs.store}: ")
    assert "kB are needed (download 141 kB, convert 141 kB, shard 141 kB, launch 141 kB, merge" in line
    assert "kB are free; free space" in line


def commit(store: Store, step: str, parameters: dict[str, Any], made_from: Artifact | None) -> Artifact:
    """Put an artifact of a step into the store; its contents do not matter but for a config.json."""

    def build(directory: Path) -> None:
        (directory / "content").write_text(step)
        if made_from is None:
            shutil.copyfile(parameters["config"], directory / "config.json")

    plain = {key: value for key, value in parameters.items() if key != "config"}
    inputs = {} if made_from is None else {"input": made_from.digest}
    return store.build(step, build, version=1, inputs=inputs, parameters=plain).artifact


def test_what_the_store_holds_already_needs_no_room(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    config, store = training(runs, "train.checkpoint_every=1"), Store(runs.store)
    download = commit(store, "download", {"config": runs.model / "config.json"}, None)
    start = commit(store, "convert", {**config.convert.model_dump(), "to": "mindspore"}, download)
    shards = commit(
        store, "shard", config.parallel.model_dump(exclude={"micro_batch_num", "recompute"}), start
    )
    assert finished_steps(config, directories(runs)) == {"download", "convert", "shard"}
    launched = commit(store, "launch", config.key_parameters, shards)
    merged = commit(store, "merge", {}, launched)
    commit(store, "export", {}, merged)
    free(monkeypatch, 0)
    assert preflight(config) == ()
    with pytest.raises(
        MindrailError, match=r"are needed \(launch [^)]*, merge [^)]*, export [^)]*\), 0 B are free"
    ):
        preflight(training(runs, "train.checkpoint_every=1", "train.learning_rate=1e-3"))


def test_a_rank_that_needs_more_than_its_device_is_refused_with_a_change_that_fits(runs: Runs) -> None:
    layout = ("parallel.data_parallel=2", "launch.world_size=2")
    assert preflight(training(runs, *layout, "launch.device_memory=1GB")) == ()
    need = max(
        rank.memory.total for rank in dry_run_of(training(runs, *layout), read_model(runs.model)).ranks
    )
    assert preflight(training(runs, *layout, f"launch.device_memory={need}B")) == ()
    with pytest.raises(
        MindrailError,
        match=r"^launch.device_memory: rank 0 needs .* its device has .*; set parallel.recompute=true$",
    ):
        preflight(training(runs, *layout, f"launch.device_memory={need - 1}B"))
    with pytest.raises(MindrailError, match="no layout of as many fits"):
        preflight(training(runs, *layout, "launch.device_memory=1kB"))


def test_an_interrupted_steps_files_are_not_needed_twice(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    config = training(runs)
    needs = disk_needs(config, directories(runs))
    partial = runs.store / "download" / "0123.partial"
    partial.mkdir(parents=True)
    (partial / "model.safetensors").write_bytes(bytes(needs["download"]))
    free(monkeypatch, sum(needs.values()) - needs["download"])
    assert preflight(config) == ()


def test_ranks_that_do_not_fit_the_hosts_memory_are_refused(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    least = 4 * 4 * elements(runs)  # weights, gradients and two states, in fp32

    def memory(size: int) -> None:
        psutil = "tasks.preflight.host_memory.psutil"
        monkeypatch.setattr(f"{psutil}.virtual_memory", lambda: SimpleNamespace(total=size))
        monkeypatch.setattr(f"{psutil}.swap_memory", lambda: SimpleNamespace(total=0))

    memory(least)
    assert preflight(training(runs, "train.precision=bf16")) == ()
    memory(least - 1)
    with pytest.raises(
        MindrailError, match=r"parallel: the ranks keep 564 kB of weights, .* this machine has 564 kB"
    ):
        preflight(training(runs))
    monkeypatch.setattr(host_memory, "_ASCEND", runs.directory)  # then they compute in a device's memory
    assert preflight(training(runs)) == ()
