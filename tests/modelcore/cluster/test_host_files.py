"""The files of a job on a host with its own disk: complete ones count, with the right digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from modelcore.cluster.host_files import HostFiles, JobFile, facts_of, is_inside
from modelcore.errors import StepFailed


def job_file(path: Path, contents: bytes) -> JobFile:
    return JobFile(str(path), len(contents), hashlib.sha256(contents).hexdigest())


def test_a_file_that_arrives_in_pieces_has_its_name_when_it_is_complete(tmp_path: Path) -> None:
    host, wanted = HostFiles(str(tmp_path), [0]), job_file(tmp_path / "new" / "rows", b"abcdef")
    assert host.missing([wanted]) == [wanted]
    host.receive(wanted.path, 0, b"abc")
    host.receive(wanted.path, 3, b"def")
    assert not Path(wanted.path).exists()
    host.complete(wanted)
    assert host.missing([wanted]) == []
    assert facts_of(Path(wanted.path)) == wanted


def test_a_file_whose_bytes_changed_on_the_way_is_refused(tmp_path: Path) -> None:
    host, wanted = HostFiles(str(tmp_path), [0]), job_file(tmp_path / "rows", b"abc")
    host.receive(wanted.path, 0, b"abd")
    with pytest.raises(StepFailed, match="changed on the way"):
        host.complete(wanted)
    assert not Path(wanted.path).exists()


def test_a_part_of_a_checkpoint_counts_once_its_state_is_there_and_only_of_the_host_s_ranks(
    tmp_path: Path,
) -> None:
    parts = [tmp_path / "checkpoints" / "dp2" / "step_00000005" / f"rank_{rank}" for rank in range(2)]
    for part in parts:
        part.mkdir(parents=True)
        (part / f"checkpoint_{part.name[-1]}.ckpt").write_bytes(b"weights")
    host = HostFiles(str(tmp_path), [1])
    assert host.parts() == []
    for part in parts:
        (part / "state.json").write_text("{}")
    assert [Path(file.path).relative_to(parts[1]).name for file in host.parts()] == [
        "checkpoint_1.ckpt",
        "state.json",
    ]


def test_results_are_the_ranks_own_and_what_rank_0_wrote_for_all(tmp_path: Path) -> None:
    for name in ("rank_0/a", "rank_1/b", "config.json", "logs/x.log", "checkpoints/dp2/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    names = {
        rank: [
            str(Path(file.path).relative_to(tmp_path)) for file in HostFiles(str(tmp_path), [rank]).results()
        ]
        for rank in range(2)
    }
    assert names == {0: ["config.json", "rank_0/a"], 1: ["rank_1/b"]}


def test_what_was_added_to_a_log_is_returned_from_where_it_ended_and_anew_if_it_is_shorter(
    tmp_path: Path,
) -> None:
    log = tmp_path / "worker_1.log"
    log.write_text("one\n")
    host = HostFiles(str(tmp_path), [1])
    (first,) = host.grown({}, str(tmp_path), 100)
    assert (first.offset, first.data) == (0, b"one\n")
    assert host.grown({first.path: 4}, str(tmp_path), 100) == []
    log.write_text("one\ntwo\n")
    (second,) = host.grown({first.path: 4}, str(tmp_path), 2)
    assert (second.offset, second.data) == (4, b"tw")
    log.write_text("x")
    (anew,) = host.grown({first.path: 4}, str(tmp_path), 100)
    assert (anew.offset, anew.data) == (0, b"x")


def test_a_path_that_leads_out_of_the_job_s_directory_is_not_inside(tmp_path: Path) -> None:
    assert is_inside(f"{tmp_path}/rank_0/a", tmp_path)
    assert not is_inside(f"{tmp_path}/../a", tmp_path)
