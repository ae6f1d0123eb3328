"""`mindrail store`, `runs` and `completion`: what a person sees of the artifacts and runs."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from modelcore.store.store import Artifact, Store


def build(store: Store, step: str, content: str, *inputs: Artifact) -> Artifact:
    return store.build(
        step,
        lambda directory: (directory / "file").write_text(content),
        version=1,
        inputs={f"input {number}": one.digest for number, one in enumerate(inputs)},
        parameters={"content": content},
    ).artifact


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    build(store, "merge", "whole", build(store, "launch", "trained"))
    return store


def mindrail(store: Store, *arguments: str, answer: str = "") -> Result:
    command = [*arguments, "--store", str(store.root)]
    return CliRunner().invoke(command_line, command, input=answer, catch_exceptions=False)


def age_all(store: Store) -> None:
    then = time.time() - 100 * 86400
    for artifact in store.artifacts():
        os.utime(artifact.path, (then, then))


def test_ls_has_sizes_ages_and_a_sum(store: Store) -> None:
    printed = mindrail(store, "store", "ls").stdout.splitlines()
    assert len(printed) == 3 and printed[-1] == "2 artifacts, 12 B"
    assert {line.split()[4] for line in printed[:2]} == {"launch", "merge"} and " s ago " in printed[0]
    assert len(mindrail(store, "store", "ls", "--step", "merge").stdout.splitlines()) == 2
    assert mindrail(store, "store", "list").stdout.splitlines()[-1] == "2 artifacts, 12 B"


def test_an_artifact_is_named_by_the_first_digits_of_its_key(store: Store) -> None:
    merged = next(one for one in store.artifacts() if one.manifest.step == "merge")
    for name in (merged.manifest.key, merged.manifest.key[:6], f"merge/{merged.manifest.key[:6]}"):
        assert mindrail(store, "store", "path", name).stdout == f"{merged.path}\n"
    with pytest.raises(MindrailError, match="no such artifact"):
        mindrail(store, "store", "path", "launch/ffffffff")


def test_show_and_lineage_lead_to_what_it_was_built_from(store: Store) -> None:
    merged = next(one for one in store.artifacts() if one.manifest.step == "merge")
    assert "content: whole" in mindrail(store, "store", "show", merged.manifest.key).stdout
    tree = mindrail(store, "store", "lineage", merged.manifest.key).stdout.splitlines()
    assert tree[0].startswith("merge/") and tree[1].startswith("  input 0: launch/")


def test_export_copies_the_files_alone(store: Store, tmp_path: Path) -> None:
    merged = next(one for one in store.artifacts() if one.manifest.step == "merge")
    mindrail(store, "store", "export", merged.manifest.key, str(tmp_path / "model"))
    assert {path.name: path.read_text() for path in (tmp_path / "model").iterdir()} == {"file": "whole"}


def test_gc_shows_asks_and_removes_what_no_checkpoint_needs(store: Store) -> None:
    other = build(store, "shard", "other")
    age_all(store)
    refused = mindrail(store, "store", "gc", answer="n\n")
    assert str(other.path) in refused.stdout and "1 directories, 5 B" in refused.stdout
    assert other.path.exists()
    assert json.loads(mindrail(store, "store", "gc", "--json").stdout)["removed"] == []
    assert other.path.exists()
    assert mindrail(store, "store", "gc", answer="y\n").stdout.endswith("removed 1\n")
    assert {one.manifest.step for one in store.artifacts()} == {"launch", "merge"}


def record(store: Store, name: str, **content: Any) -> None:
    directory = store.root / "runs" / name
    directory.mkdir(parents=True)
    plain = {"created": "2026-11-21T20:00:00+00:00", "seconds": 75.0, "config": {"name": "tune"}, **content}
    (directory / "run.json").write_text(json.dumps(plain))


def test_runs_have_score_duration_and_report(store: Store) -> None:
    record(store, "20261121T200000-aaaaaaaa-tune", pass_at_1={"after": 0.9, "before": 0.0})
    record(store, "20261121T210000-bbbbbbbb-tune", training={"training loss": "1.5"})
    record(store, "20261121T220000-cccccccc-eval", results=[{"pass_at_k": {"1": [0.5, 0.4, 0.6]}}])
    (store.root / "launch" / "abc.partial").mkdir()
    printed = mindrail(store, "runs").stdout
    for text in ("pass@1 0.900 (0.000 before)  1 min 15 s", "training loss 1.5", "pass@1 0.500"):
        assert text in printed
    assert "report.html" in printed and "abc.partial" in printed


def test_a_run_is_pinned_by_its_first_letters(store: Store) -> None:
    record(store, "20261121T200000-aaaaaaaa-tune", pass_at_1={"after": 0.9, "before": None})
    assert "  pinned" in mindrail(store, "runs", "--pin", "20261121T20").stdout
    assert "  pinned" not in mindrail(store, "runs", "--unpin", "20261121T20").stdout
    with pytest.raises(MindrailError, match="no such run"):
        mindrail(store, "runs", "--pin", "2020")
    for name in ("/dev/zero", "*", "../runs"):
        with pytest.raises(MindrailError, match="no such run"):
            mindrail(store, "runs", "--pin", name)


def test_a_shell_completes_commands() -> None:
    script = CliRunner().invoke(command_line, ["completion", "bash"]).stdout
    assert "_MINDRAIL_COMPLETE=bash_complete" in script
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr
    for shell in ("zsh", "fish"):
        assert "mindrail" in CliRunner().invoke(command_line, ["completion", shell]).stdout
