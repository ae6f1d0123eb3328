"""The hub, played by a local server with the least of its API, through huggingface_hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.download import download
from tests.modelcore.store import fault_server

FILES = {
    "config.json": b"{}",
    "tokenizer.model": b"sentencepiece" * 100,
    "model.safetensors": bytes(range(256)) * 1000,
    "README.md": b"not asked for",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[fault_server.Served]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with fault_server.serving(fault_server.Served(files=dict(FILES), hub="owner/model")) as served:
        yield served


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize(("source", "revision"), [("", None), ("@v1", None), ("", "v1")])
def test_a_repository_is_fetched_at_the_commit_its_revision_is_now(
    hub: fault_server.Served, tmp_path: Path, source: str, revision: str | None
) -> None:
    download(f"hf://owner/model{source}", tmp_path, endpoint=hub.url.rstrip("/"), revision=revision)
    assert contents(tmp_path) == {name: FILES[name] for name in FILES if name != "README.md"}
    asked = [path for path, _ in hub.requests]
    assert asked[0] == "api/models/owner/model" + ("/revision/v1" if source or revision else "")
    assert all(f"/resolve/{fault_server.COMMIT}/" in path for path in asked[1:])


def test_the_hubs_sha256_is_checked(hub: fault_server.Served, tmp_path: Path) -> None:
    hub.faults["model.safetensors"] = ["wrong"]
    with pytest.raises(MindrailError, match=r"model\.safetensors: its sha256 is"):
        download("hf://owner/model", tmp_path, endpoint=hub.url.rstrip("/"))
    assert "model.safetensors" not in contents(tmp_path)


def test_a_file_that_was_cut_off_is_resumed(hub: fault_server.Served, tmp_path: Path) -> None:
    hub.faults["model.safetensors"] = ["cut"]
    with pytest.raises(StepFailed):
        download("hf://owner/model", tmp_path, endpoint=hub.url.rstrip("/"))
    download("hf://owner/model", tmp_path, endpoint=hub.url.rstrip("/"))
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_the_token_goes_with_every_request(hub: fault_server.Served, tmp_path: Path) -> None:
    hub.token = "secret"
    with pytest.raises(MindrailError, match="401"):
        download("hf://owner/model", tmp_path, endpoint=hub.url.rstrip("/"))
    download("hf://owner/model", tmp_path, endpoint=hub.url.rstrip("/"), token="secret")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hf://owner/other", "hf://owner/other: the server answers 404"),
        ("hf://owner/model@v9", "hf://owner/model@v9: the server answers 404"),
        ("hf://a/b/c", "not owner/name"),
    ],
)
def test_what_the_hub_does_not_have_is_named(
    hub: fault_server.Served, tmp_path: Path, source: str, message: str
) -> None:
    with pytest.raises(MindrailError, match=message):
        download(source, tmp_path, endpoint=hub.url.rstrip("/"))


def test_a_hub_that_is_not_there_is_worth_another_try(tmp_path: Path) -> None:
    with fault_server.serving(fault_server.Served()) as served:
        url = served.url.rstrip("/")
    with pytest.raises(StepFailed, match="no answer"):
        download("hf://owner/model", tmp_path, endpoint=url)


def test_offline_takes_what_the_cache_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    cache = tmp_path / "cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    with pytest.raises(MindrailError, match="not in the Hugging Face cache"):
        download("hf://owner/model", tmp_path / "out", offline=True)
    repository = cache / "models--owner--model"
    snapshot = repository / "snapshots" / fault_server.COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(fault_server.COMMIT)
    for name, content in FILES.items():
        (snapshot / name).write_bytes(content)
    download("hf://owner/model", tmp_path / "out", offline=True)
    assert contents(tmp_path / "out") == {name: FILES[name] for name in FILES if name != "README.md"}
