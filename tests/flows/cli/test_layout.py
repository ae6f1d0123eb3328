"""`mindrail layout`: what each rank holds and needs, and what cannot be, said before anything runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from tests.paths import ROOT

CARD = str(ROOT / "configs" / "finetune_codellama_34b_16p.yaml")


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A directory with CodeLlama-34B's config.json and nothing else."""
    published = ROOT / "configs" / "models" / "codellama-34b.json"
    shutil.copy(published, tmp_path / "config.json")
    return str(tmp_path)


def layout(*arguments: str) -> Result:
    return CliRunner().invoke(command_line, ["layout", *arguments])


def changed(*changes: str) -> list[str]:
    return [word for change in changes for word in ("--set", change)]


def test_it_tells_ranks_layers_slices_groups_and_memory(model: str) -> None:
    said = layout(CARD, "--model", model)
    assert said.exit_code == 0
    assert "33.74 billion parameters on 16 ranks (dp1 mp8 pp2), 128 rows per step" in said.stdout
    assert "8-15      1   24-47  2,338,725,888" in said.stdout
    assert "model.layers.{}.attention.wo.weight     24      8192 × 1024   axis 1 in 8" in said.stdout
    assert "pipeline groups 0,8  1,9" in said.stdout


def test_json_has_every_rank(model: str) -> None:
    found = json.loads(layout(CARD, "--model", model, "--json").stdout)
    assert [one["rank"] for one in found["ranks"]] == list(range(16))
    last = found["ranks"][15]
    assert (last["stage"], last["tensor"], last["layers"]) == (1, 7, [24, 47])
    memory = last["memory"]
    assert memory["total"] == sum(size for kind, size in memory.items() if kind != "total")
    assert memory["gradients"] == 4 * last["parameters"]
    assert found["groups"]["tensor"][1] == list(range(8, 16))


def test_ranks_that_do_not_fit_are_named_with_what_would_fit(model: str) -> None:
    fits = layout(CARD, "--model", model, "--device-memory", "64GB")
    assert fits.exit_code == 0 and "every rank fits 64.0 GB" in fits.stdout
    plain = changed("parallel.recompute=false")
    full = layout(CARD, "--model", model, "--device-memory", "64GB", *plain)
    assert full.exit_code == 1
    assert "not in 64.0 GB: ranks 0-15" in full.stdout
    assert "would fit: --set parallel.recompute=true\n" in full.stdout
    never = layout(CARD, "--model", model, "--device-memory", "1GB", *plain)
    assert "no layout of as many ranks fits" in never.stdout


def test_a_way_to_fit_that_is_told_does_fit(model: str) -> None:
    small = changed(
        "parallel.data_parallel=4",
        "parallel.model_parallel=4",
        "launch.world_size=32",
        "parallel.recompute=false",
        "parallel.shard_optimizer=false",
    )
    found = layout(CARD, "--model", model, "--device-memory", "64GB", "--json", *small)
    ways = json.loads(found.stdout)["ways_to_fit"]
    assert found.exit_code == 1 and ways[0] == "parallel.recompute=true parallel.shard_optimizer=true"
    for way in ways:
        again = layout(CARD, "--model", model, "--device-memory", "64GB", *small, *changed(*way.split()))
        assert again.exit_code == 0, way


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            ["parallel.model_parallel=16", "launch.world_size=32"],
            "num_key_value_heads 8 of config.json does not divide by model_parallel 16",
        ),
        (
            ["parallel.pipeline_stage=5", "launch.world_size=40"],
            "48 layers do not divide into 5 stages; give offset, e.g. [0, 0, 1, 1, 1]",
        ),
        (["parallel.offset=[1,1]"], "[1, 1] makes stages of [25, 25] layers"),
    ],
)
def test_what_cannot_divide_is_said(changes: list[str], said: str, model: str) -> None:
    refused = layout(CARD, "--model", model, *changed(*changes))
    assert isinstance(refused.exception, MindrailError)
    assert said in str(refused.exception)


def test_layers_that_do_not_divide_are_placed_by_offsets(model: str) -> None:
    changes = ["parallel.pipeline_stage=5", "launch.world_size=40", "parallel.offset=[0,0,1,1,1]"]
    found = json.loads(layout(CARD, "--model", model, "--json", *changed(*changes)).stdout)
    assert [found["ranks"][8 * stage]["layers"] for stage in range(5)] == [
        [0, 8],
        [9, 17],
        [18, 27],
        [28, 37],
        [38, 47],
    ]


def test_a_source_on_this_machine_needs_no_model_option(model: str) -> None:
    found = layout(CARD, *changed(f"download.source=file://{model}"))
    assert found.exit_code == 0, found.exception


@pytest.mark.parametrize("more", [{}, {"random_weights": True}])
def test_a_run_that_only_trains_has_a_layout_too(more: dict[str, bool], model: str, tmp_path: Path) -> None:
    run = {
        "download": {"source": f"file://{model}"},
        "preprocess": {"input": "texts.json", "format": "text"},
        "train": {"steps": 10, "batch_size": 3},
        **more,
    }
    (tmp_path / "run.yaml").write_text(json.dumps(run))
    found = json.loads(layout(str(tmp_path / "run.yaml"), "--json").stdout)
    assert (len(found["ranks"]), found["global_batch"]) == (1, 3)


def test_without_a_config_json_it_says_how_to_give_one(tmp_path: Path) -> None:
    refused = layout(CARD, *changed(f"download.source=file://{tmp_path}"))
    assert isinstance(refused.exception, MindrailError)
    assert "give a directory that holds it with --model" in str(refused.exception)


def test_the_demo_has_its_sizes_in_its_configuration() -> None:
    found = json.loads(layout(str(ROOT / "configs" / "demo.yaml"), "--json").stdout)
    assert found["layout"]["data_parallel"] == len(found["ranks"]) == 2
    assert found["parameters"] == 2 * 1024 * 128 + 4 * (4 * 128**2 + 3 * 128 * 352 + 2 * 128) + 128


def test_a_size_of_devices_that_is_none_is_refused() -> None:
    refused = layout(CARD, "--device-memory", "64 potatoes")
    assert refused.exit_code == 2 and "is not of the form 64GB or 64GiB" in refused.output


def test_the_runs_own_key_gives_the_device_where_the_option_is_absent() -> None:
    demo, key = str(ROOT / "configs" / "demo.yaml"), "launch.device_memory="
    assert layout(demo, "--set", f"{key}1GB").exit_code == 0
    assert layout(demo, "--set", f"{key}1MB").exit_code == 1
    assert layout(demo, "--set", f"{key}1MB", "--device-memory", "1GB").exit_code == 0


def test_what_failing_hosts_cost_is_shown_for_2_to_1024_hosts(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "timings.jsonl").write_text('{"seconds": 9}\n{"seconds": 2}\n{"seconds": 2}\n')
    found = json.loads(layout(CARD, "--simulate", "--measured", str(tmp_path), "--json").output)
    assert [row["hosts"] for row in found["hosts"]] == [2**power for power in range(1, 11)]
    assert found["seconds"]["step"] == 2 and found["checkpoint_every"] == 500
    shares = [row["best"] for row in found["hosts"]]
    assert shares == sorted(shares, reverse=True)
    assert all(row["best"] >= row["given"] for row in found["hosts"])
    assert "1024" in layout(CARD, "--simulate", "--step-time", "12").output


def test_the_length_of_a_step_is_needed_to_say_what_failing_hosts_cost() -> None:
    refused = layout(CARD, "--simulate").exception
    assert isinstance(refused, MindrailError)
    assert str(refused) == "--simulate: give either --step-time or --measured"
