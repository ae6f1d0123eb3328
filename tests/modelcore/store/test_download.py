"""Downloads from a server with the faults of real servers: what passes is resumed, what lasts is named."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.download import download
from tests.modelcore.store import fault_server

WEIGHTS = bytes(range(256)) * 4096
SHARD = "model-00002-of-00002.safetensors"


def sharded() -> dict[str, bytes]:
    names = ["model-00001-of-00002.safetensors", SHARD]
    index = {"metadata": {"total_size": 2 * len(WEIGHTS)}, "weight_map": dict(zip("ab", names, strict=True))}
    return {
        "config.json": b"{}",
        "tokenizer.json": b'{"a": 1}',
        "model.safetensors.index.json": json.dumps(index).encode(),
        names[0]: WEIGHTS,
        names[1]: WEIGHTS[::-1],
    }


def sums(files: dict[str, bytes]) -> bytes:
    return "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()
    ).encode()


@pytest.fixture
def server() -> Iterator[fault_server.Served]:
    with fault_server.serving(fault_server.Served(files=sharded())) as served:
        yield served


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_model_is_its_config_tokenizer_and_the_shards_of_its_index(
    server: fault_server.Served, tmp_path: Path
) -> None:
    server.files |= {"README.md": b"not asked for", "pytorch_model.bin": b"the same weights again"}
    seen: list[tuple[float, float | None, str]] = []
    paths = download(
        server.url, tmp_path, progress=lambda done, total, unit, note="": seen.append((done, total, note))
    )
    assert contents(tmp_path) == sharded()
    assert sorted(path.name for path in paths) == sorted(sharded())
    size = sum(map(len, sharded().values()))
    assert seen[-1] == (size, size, SHARD)


def test_a_directory_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    for name, content in sharded().items():
        (tmp_path / "a b" / name).write_bytes(content)
    download((tmp_path / "a b").as_uri(), tmp_path / "out")
    assert contents(tmp_path / "out") == sharded()


@pytest.mark.parametrize(
    "files",
    [
        {"pytorch_model.bin": b"x"},
        {"consolidated.00.pth": b"x", "consolidated.01.pth": b"y", "params.json": b"{}"},
    ],
)
def test_pytorchs_and_metas_files_are_taken_where_there_is_nothing_better(
    server: fault_server.Served, tmp_path: Path, files: dict[str, bytes]
) -> None:
    server.files = {"config.json": b"{}", **files}
    download(server.url, tmp_path)
    assert contents(tmp_path) == server.files


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_download_that_was_cut_off_resumes_there(
    server: fault_server.Served, tmp_path: Path, fault: str
) -> None:
    server.faults[SHARD] = [fault]
    with pytest.raises(StepFailed, match=SHARD):
        download(server.url, tmp_path)
    assert not (tmp_path / SHARD).exists()
    kept = (tmp_path / f"{SHARD}.partial").stat().st_size
    assert kept > 0
    download(server.url, tmp_path)
    assert server.ranges(SHARD) == [None, f"bytes={kept}-"]
    assert server.ranges("config.json") == [None]
    assert contents(tmp_path) == sharded()


def test_a_server_that_ignores_the_range_is_read_from_the_start(
    server: fault_server.Served, tmp_path: Path
) -> None:
    server.faults[SHARD] = ["cut", "no-range"]
    with pytest.raises(StepFailed):
        download(server.url, tmp_path)
    download(server.url, tmp_path)
    assert contents(tmp_path) == sharded()


def test_two_versions_of_a_file_are_never_mixed(server: fault_server.Served, tmp_path: Path) -> None:
    server.faults[SHARD] = ["cut"]
    with pytest.raises(StepFailed):
        download(server.url, tmp_path)
    server.files[SHARD] = b"new" * 1_000_000
    download(server.url, tmp_path)
    assert (tmp_path / SHARD).read_bytes() == server.files[SHARD]


def test_a_partial_that_is_whole_already_is_finished(server: fault_server.Served, tmp_path: Path) -> None:
    server.faults[SHARD] = ["cut"]
    with pytest.raises(StepFailed):
        download(server.url, tmp_path)
    (tmp_path / f"{SHARD}.partial").write_bytes(sharded()[SHARD])
    download(server.url, tmp_path)
    assert contents(tmp_path) == sharded()


def test_wrong_bytes_are_named_and_removed_and_nothing_else_is(
    server: fault_server.Served, tmp_path: Path
) -> None:
    server.files["SHA256SUMS"] = sums(sharded())
    server.faults[SHARD] = ["wrong"]
    with pytest.raises(MindrailError, match=rf"{SHARD}: its sha256 is") as caught:
        download(server.url, tmp_path)
    assert not isinstance(caught.value, StepFailed)
    expected = sharded()
    del expected[SHARD]
    assert contents(tmp_path) == expected
    download(server.url, tmp_path)
    assert contents(tmp_path) == sharded()


def test_a_wrong_part_after_a_resume_starts_the_file_over(
    server: fault_server.Served, tmp_path: Path
) -> None:
    server.files["SHA256SUMS"] = sums(sharded())
    server.faults[SHARD] = ["cut", "wrong"]
    for _ in range(2):
        with pytest.raises(StepFailed):
            download(server.url, tmp_path)
    download(server.url, tmp_path)
    assert contents(tmp_path) == sharded()


def test_a_finished_file_that_was_changed_since_is_refused_not_removed(
    server: fault_server.Served, tmp_path: Path
) -> None:
    server.files["SHA256SUMS"] = sums(sharded())
    download(server.url, tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"edited")
    with pytest.raises(MindrailError, match=r"tokenizer\.json: is here already"):
        download(server.url, tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == b"edited"


def test_the_callers_and_the_published_sums_must_agree(server: fault_server.Served, tmp_path: Path) -> None:
    server.files["SHA256SUMS"] = sums(sharded())
    with pytest.raises(MindrailError, match=r"config\.json: its sha256 should be 00"):
        download(server.url, tmp_path, sha256={"config.json": "00" * 32})


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        ("401", MindrailError, "the server answers 401: no access; give a token"),
        ("403", MindrailError, "the server answers 403: no access; give a token"),
        ("400", MindrailError, "the server answers 400"),
        ("429", StepFailed, "the server answers 429"),
        ("503", StepFailed, "the server answers 503"),
    ],
)
def test_temporary_and_permanent_refusals_are_different_errors(
    server: fault_server.Served, tmp_path: Path, status: str, kind: type, message: str
) -> None:
    server.faults[SHARD] = [status]
    with pytest.raises(kind, match=rf"{SHARD}: {message}") as caught:
        download(server.url, tmp_path)
    assert type(caught.value) is MindrailError or isinstance(caught.value, StepFailed)
    assert getattr(caught.value, "retry_after", None) == (7.0 if status == "429" else None)
    download(server.url, tmp_path)
    assert contents(tmp_path) == sharded()


@pytest.mark.parametrize("name", ["config.json", SHARD])
def test_a_missing_file_is_named(server: fault_server.Served, tmp_path: Path, name: str) -> None:
    del server.files[name]
    with pytest.raises(MindrailError, match=f"{name}: not found"):
        download(server.url, tmp_path)


def test_a_server_that_is_not_there_is_worth_another_try(tmp_path: Path) -> None:
    with fault_server.serving(fault_server.Served()) as served:
        url = served.url
    with pytest.raises(StepFailed, match="no answer"):
        download(url, tmp_path)


def test_a_redirect_is_followed_without_handing_on_the_token(
    server: fault_server.Served, tmp_path: Path
) -> None:
    front = fault_server.Served(token="secret", redirects={SHARD: server.url + SHARD})
    front.files = {name: content for name, content in sharded().items() if name != SHARD}
    server.url = server.url.replace("127.0.0.1", "localhost")
    front.redirects[SHARD] = server.url + SHARD
    with fault_server.serving(front):
        download(front.url, tmp_path, token="secret")
    assert contents(tmp_path) == sharded()
    assert all("Authorization" not in headers for _, headers in server.requests)
    assert all(headers["Authorization"] == "Bearer secret" for _, headers in front.requests)


def test_a_missing_token_is_named_as_the_fix(tmp_path: Path) -> None:
    with fault_server.serving(fault_server.Served(files=sharded(), token="secret")) as served:
        with pytest.raises(MindrailError, match="401"):
            download(served.url, tmp_path)
        download(served.url, tmp_path, token="secret")


def test_what_cannot_fit_is_not_started(
    server: fault_server.Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, len(WEIGHTS) + 1000))
    with pytest.raises(StepFailed, match="GB are free"):
        download(server.url, tmp_path)
    assert not server.ranges(SHARD) and not server.ranges("model-00001-of-00002.safetensors")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "^not a source; give hf://owner/name"),
        ("owner/name", "owner/name: not a source"),
        ("ftp://host/x", "ftp://host/x: not a source"),
        ("file:///does/not/exist", "file:///does/not/exist: no such file or directory"),
        ("http://", "http://: not a source"),
    ],
)
def test_a_source_that_is_none_is_refused(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(MindrailError, match=message):
        download(source, tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.model", "wizardcoder%2015b.ckpt"])
def test_the_address_of_one_file_is_that_file_alone(
    server: fault_server.Served, tmp_path: Path, name: str
) -> None:
    plain = name.replace("%20", " ")
    server.files |= {plain: WEIGHTS, "SHA256SUMS": sums({plain: WEIGHTS})}
    server.faults[plain] = ["cut"]
    with pytest.raises(StepFailed):
        download(server.url + name, tmp_path)
    assert [path.name for path in download(server.url + name, tmp_path)] == [plain]
    assert contents(tmp_path) == {plain: WEIGHTS}
    server.files["SHA256SUMS"] = sums({plain: b"other"})
    with pytest.raises(MindrailError, match="sha256"):
        download(server.url + name, tmp_path / "again")


def test_a_path_of_one_file_is_that_file_alone(tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(WEIGHTS)
    (tmp_path / "config.json").write_bytes(b"{}")
    download((tmp_path / "x.ckpt").as_uri(), tmp_path / "copy")
    assert contents(tmp_path / "copy") == {"x.ckpt": WEIGHTS}
    with pytest.raises(MindrailError, match="no such file or directory"):
        download((tmp_path / "y.ckpt").as_uri(), tmp_path / "no")


def test_what_the_config_does_not_allow_is_refused_before_the_weights(
    server: fault_server.Served, tmp_path: Path
) -> None:
    seen: list[set[str]] = []

    def check(directory: Path) -> None:
        seen.append({path.name for path in directory.iterdir()})
        raise MindrailError("hidden_act is 'relu': not implemented", where=directory / "config.json")

    with pytest.raises(MindrailError, match="hidden_act"):
        download(server.url, tmp_path, check=check)
    assert seen == [{"config.json", "tokenizer.json"}]
    assert not any("safetensors" in path for path, _ in server.requests)


def test_metas_files_need_no_config_of_hugging_faces(server: fault_server.Served, tmp_path: Path) -> None:
    server.files.clear()
    server.files |= {"params.json": b"{}", "tokenizer.model": b"t", "consolidated.00.pth": b"x"}
    seen: list[bool] = []
    download(server.url, tmp_path, check=lambda place: seen.append((place / "consolidated.00.pth").exists()))
    assert contents(tmp_path) == server.files
    assert seen == [True]  # what params.json leaves out follows from the shapes


def test_offline_asks_no_web_server(server: fault_server.Served, tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="offline"):
        download(server.url, tmp_path, offline=True)
    assert not server.requests
