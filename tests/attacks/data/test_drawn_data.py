"""Random sources: every record is in a row, counted as lost, or named; none is dropped silently."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcore.data.mindrecord.file import read_mindrecord
from modelcore.data.mindrecord.output import validation_path
from modelcore.data.page import write_page
from modelcore.data.preprocess import preprocess
from modelcore.data.report import PreprocessReport
from modelcore.errors import MindrailError
from tests.byte_vocabulary import write_byte_vocabulary

texts = st.text(st.characters(), max_size=40) | st.sampled_from(
    [
        "",
        "<|endoftext|>",
        "### Response:",
        "\ud800",
        "{input}",
        "x" * 400,
        "\u2028",
        "\x00",
        "</s> ASSISTANT: ",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
good = st.fixed_dictionaries(
    {"instruction": st.text(max_size=30), "output": st.text(max_size=30)},
    optional={"input": st.text(max_size=9)},
)
turn = st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt", "system"]), "value": texts})
records = (
    good
    | st.fixed_dictionaries({"instruction": texts, "output": texts}, optional={"input": values})
    | st.fixed_dictionaries({"conversations": st.lists(turn, max_size=4) | values})
    | st.dictionaries(st.sampled_from(["instruction", "input", "output", "x"]), values, max_size=4)
    | values
)
FORMS = ("list", "lines", "packed list")


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_byte_vocabulary(tmp_path_factory.mktemp("bytes"))


def write(path: Path, data: list[Any], form: str) -> Path:
    if form == "lines":
        path.write_text("".join(f"{json.dumps(record)}\n" for record in data))
    elif form == "list":
        path.write_text(json.dumps(data, indent=1))
    else:
        path.write_bytes(gzip.compress(json.dumps(data).encode()))
    return path


def is_sound(record: Any) -> bool:
    """The expected row of a WizardCoder record, computed without the code under test."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and not any(0xD800 <= ord(letter) <= 0xDFFF for letter in value)

    if not isinstance(record, dict):
        return False
    if "conversations" in record:
        said = record["conversations"]
        if not isinstance(said, list) or not all(
            isinstance(t, dict) and t.keys() >= {"from", "value"} for t in said
        ):
            return False
        return [t["from"] for t in said] == ["human", "gpt"] and all(is_text(t["value"]) for t in said)
    named = all(is_text(record.get(name)) for name in ("instruction", "output"))
    return named and (record.get("input") is None or is_text(record["input"]))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, max_size=8), st.sampled_from(FORMS))
def test_every_record_is_in_a_row_or_counted_as_lost_or_named(
    vocabulary: Path, data: list[Any], form: str
) -> None:
    options: dict[str, Any] = {"format": "wizardcoder", "tokenizer_dir": vocabulary, "seq_length": 300}
    # Lines must begin with an object for the file to be lines at all.
    data = [{"instruction": "a", "output": "b"}, *data]
    bad = [number for number, record in enumerate(data, 1) if not is_sound(record)]
    with tempfile.TemporaryDirectory() as name:
        source = write(Path(name) / "source", data, form)
        before = source.read_bytes()
        out = Path(name) / "rows.mindrecord"
        report = preprocess(source, out, skip_bad=True, validation=0.5, **options)
        assert report.records_in == len(data) and report.bad == len(bad)
        assert len(data) == report.rows_out + report.bad + report.wholly_masked
        assert [int(message.split()[1].rstrip(",:")) for message in report.messages] == bad
        written = [*read_mindrecord(out), *read_mindrecord(validation_path(out))]
        assert len(written) == report.rows_out
        assert report.trained_tokens == sum(int((row["labels"] != -100).sum()) for row in written)
        assert PreprocessReport.read(out.with_suffix(".report.json")) == report
        write_page(out, report)
        if bad:
            with pytest.raises(MindrailError) as caught:
                preprocess(source, Path(name) / "strict.mindrecord", **options)
            assert f"{source}, record {bad[0]}" in str(caught.value) and "\n" not in str(caught.value)
            assert not (Path(name) / "strict.mindrecord").exists()
        assert source.read_bytes() == before


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"[", b"{", b'[{"instruction": "a", "output": "b"},', b"\x1f\x8b"]),
)
def test_any_bytes_are_read_or_refused_in_one_line(vocabulary: Path, data: bytes, head: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        source.write_bytes(head + data)
        for form in ("wizardcoder", "text", "wiki"):
            out = Path(name) / f"{form}.mindrecord"
            try:
                preprocess(source, out, format=form, tokenizer_dir=vocabulary, seq_length=8, skip_bad=True)
            except MindrailError as error:
                assert str(source) in str(error) or "wikitext" in str(error)
                assert "\n" not in str(error) and not out.exists()
