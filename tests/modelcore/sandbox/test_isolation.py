from __future__ import annotations

import os
import pwd
from pathlib import Path

from modelcore.sandbox.isolation import discard, split_around, unused_user


def test_paths_are_split_around_what_is_masked(tmp_path: Path) -> None:
    for name in ("lib/json", "lib/site-packages/numpy", "lib/python3/site-packages", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lib" / "os.py").touch()
    (tmp_path / "lib" / "link").symlink_to(tmp_path / "lib" / "site-packages")
    masked = [str(tmp_path / "lib/site-packages"), str(tmp_path / "lib/python3/site-packages")]
    covering = split_around([str(tmp_path / "lib"), str(tmp_path / "other")], masked)
    assert sorted(covering) == [str(tmp_path / name) for name in ("lib/json", "lib/os.py", "other")]


def test_a_path_without_anything_masked_stays_whole(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert split_around([str(tmp_path)], [str(tmp_path) + "x", "/nowhere"]) == [str(tmp_path)]
    assert split_around([str(tmp_path)], [str(tmp_path)]) == []


def test_user_ids_for_workers_differ_and_have_no_account() -> None:
    users = [unused_user(number) for number in range(100)]
    assert len(set(users)) == 100
    assert not {account.pw_uid for account in pwd.getpwall()} & set(users)
    assert all(0 < user < 2**31 for user in users)


def test_what_is_written_to_a_discarded_descriptor_is_lost() -> None:
    readable, writable = os.pipe()
    discard(writable)
    os.write(writable, b"lost")
    assert os.read(readable, 100) == b""  # end of file: nobody can write to the pipe any more
    os.close(readable)
    os.close(writable)
