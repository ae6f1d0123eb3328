"""Room is checked before, a full disk is reported by the file's name, short writes are completed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.disk import check_room, disk_errors, make_directory, write_at


def test_what_does_not_fit_is_refused_with_both_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, 3 * 10**9))
    check_room(tmp_path, 3 * 10**9)
    with pytest.raises(StepFailed, match=r"4\.2 GB are needed, 3\.0 GB are free; free space and run again"):
        check_room(tmp_path, 42 * 10**8)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_worth_another_try_and_names_the_file(code: int) -> None:
    with pytest.raises(StepFailed, match="model.ckpt: the disk is full"), disk_errors(Path("model.ckpt")):
        raise OSError(code, "")


def test_other_errors_are_not_taken_for_a_full_disk() -> None:
    with pytest.raises(PermissionError), disk_errors(Path("model.ckpt")):
        raise PermissionError(errno.EACCES, "")


def test_a_directory_is_made_with_those_above_it(tmp_path: Path) -> None:
    for _ in range(2):
        make_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_directory_that_cannot_be_made_is_named_as_the_user_named_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MindrailError, match=r"/file/out: cannot write here: Not a directory"):
        make_directory(tmp_path / "file" / "out")
    with pytest.raises(MindrailError, match=r"^out: cannot write here: File exists; choose another$"):
        make_directory(tmp_path / "file", where=Path("out"), fix="choose another")


def test_a_directory_in_which_nothing_can_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The user who runs the tests may be root, who may write everywhere.
    modes: list[int] = []

    def refuse(path: Path, mode: int) -> bool:
        modes.append(mode)
        return False

    monkeypatch.setattr(os, "access", refuse)
    with pytest.raises(MindrailError, match=f"{tmp_path}: cannot write here: Permission denied$"):
        make_directory(tmp_path)
    assert modes == [os.W_OK | os.X_OK]


def test_all_bytes_are_written_where_they_belong_though_the_kernel_takes_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: whole(file, data[:3], at))
    with (tmp_path / "x").open("wb") as file:
        write_at(file.fileno(), b"0123456789", 4)
    assert (tmp_path / "x").read_bytes() == bytes(4) + b"0123456789"
