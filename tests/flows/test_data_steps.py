"""Preprocessing, its report, decoded rows and conversations: as flows, and by the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows import steps
from flows.cli.main import command_line
from modelcore.config.data import Preprocess
from modelcore.data.mindrecord.file import read_mindrecord
from tests.byte_vocabulary import write_byte_vocabulary

RECORDS = [{"instruction": f"add {n}", "input": "", "output": "return a + b"} for n in range(5)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "alpaca.json"
    path.write_text(json.dumps([*RECORDS, {"instruction": "x", "output": "<b>" * 400}]))
    return path


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    directory = tmp_path / "vocabulary"
    directory.mkdir()
    return write_byte_vocabulary(directory)


def mindrail(*arguments: object) -> dict[str, Any]:
    done = CliRunner().invoke(command_line, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_command_leaves_rows_their_index_a_report_and_a_page(source: Path, vocabulary: Path) -> None:
    out = source.with_name("rows.mindrecord")
    options = ("--format", "wizardcoder", "--tokenizer", vocabulary, "--seq-length", 600, "--output", out)
    rows = mindrail("preprocess", source, *options)
    assert (rows["records_in"], rows["truncated"]) == (6, 1)
    names = {path.name for path in source.parent.iterdir()}
    assert names - {"alpaca.json", "vocabulary"} == {
        "rows.mindrecord",
        "rows.mindrecord.db",
        "rows.report.json",
        "rows.report.html",
    }
    assert mindrail("data", "report", out)["truncated"] == 1
    decoded = mindrail("data", "decode", out, "--rows", 2)["rows"]
    assert decoded == mindrail("data", "decode", out, "--rows", 2, "--tokenizer", vocabulary)["rows"]
    assert [span["kind"] for span in decoded[0]] == ["masked", "trained", "padding"]
    page = source.with_name("rows.report.html").read_text()
    assert "return a + b&lt;|endoftext|&gt;" in page and "<svg" in page and "<script" not in page


def test_conversations_are_a_file_of_their_own(source: Path) -> None:
    out = source.with_name("conversations.json")
    assert mindrail("data", "conversations", source, out)["conversations"] == 6
    assert json.loads(out.read_text())[1]["conversations"][1] == {"from": "gpt", "value": "return a + b"}


@pytest.mark.server
def test_the_same_as_flows_leave_artifacts_and_show_them(
    server: None, source: Path, vocabulary: Path
) -> None:
    store = str(source.parent / "store")
    config = Preprocess(input=[str(source)], format="wizardcoder", seq_length=600)
    rows = steps.preprocess(str(vocabulary), config, store)
    assert not rows.cached and steps.preprocess(str(vocabulary), config, store).cached
    written = steps.conversations(str(source), store=store)
    assert len(json.loads((written.path / "conversations.json").read_text())) == 6
    assert steps.data_report(str(rows.path)).truncated == 1
    (row,) = steps.decode(str(rows.path), str(vocabulary), 1)
    (file,) = rows.path.rglob("*.mindrecord")
    first = next(read_mindrecord(file))
    assert sum(span.tokens for span in row if span.kind == "trained") == (first["labels"] != -100).sum()
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["data-report", "rows"]))
        shown = {
            artifact.key: str(artifact.data) for artifact in client.read_artifacts(artifact_filter=wanted)
        }
    assert "truncated" in shown["data-report"] and "return a + b" in shown["rows"]
