"""Nothing that a run leaves behind holds a secret: store, reports, the server's database, logs, errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.blocks.system import Secret

from flows import steps
from modelcore.config.checkpoint import Download
from modelcore.config.reading import parse
from modelcore.errors import MindrailError
from tests.flows.reduced_demo import PLANTED, SECRETS, Demo
from tests.local_runs import write_model
from tests.modelcore.store import fault_server

pytestmark = pytest.mark.server

TOKEN = f"{PLANTED}-of-the-hub"


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fault_server.Served]:
    model = write_model(tmp_path_factory.mktemp("hub"))
    files = {path.name: path.read_bytes() for path in model.iterdir()}
    served = fault_server.Served(files=files, hub="owner/model", token=TOKEN)
    with fault_server.serving(served):
        yield served


def with_planted_secret(directory: Path) -> list[str]:
    """Return the files below a directory that hold what was planted."""
    files = (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path) for path in files if PLANTED.encode() in path.read_bytes()]


def test_the_hubs_token_is_used_and_found_nowhere(
    server: None,
    hub: fault_server.Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    Secret(value=TOKEN).save("planted", overwrite=True)
    config = Download(source="hf://owner/model", endpoint=hub.url.rstrip("/"), token_secret="planted")
    steps.download(config, str(tmp_path / "store"))
    assert any(TOKEN in str(headers) for _, headers in hub.requests)
    hub.token = "another"
    with pytest.raises(MindrailError, match="401") as refused:
        steps.download(config, str(tmp_path / "other"))
    printed = capfd.readouterr()
    assert PLANTED not in printed.out + printed.err + str(refused.value)
    assert with_planted_secret(tmp_path) == []
    assert with_planted_secret(Path(os.environ["PREFECT_HOME"])) == []  # the database, and the server's log


@pytest.mark.ranks
def test_a_whole_run_leaves_none_of_its_environments_secrets(demo: Demo) -> None:
    assert (demo.store / "launch").exists()
    assert with_planted_secret(demo.store) == []
    assert PLANTED not in str(demo.result)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    for key in ("source", "endpoint", "model"):
        raw = {"source": "hf://a/b", key: f"https://me:{PLANTED}@example.org/x/"}
        with pytest.raises(MindrailError) as refused:
            parse(raw, Download, where="run.yaml")
        assert key in str(refused.value) and "token_secret" in str(refused.value)
        assert PLANTED not in str(refused.value)
