"""Alpaca records as conversations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelcore.data.conversations import convert_alpaca
from modelcore.errors import MindrailError

DATA = [{"instruction": "Grüß", "output": "é"}, {"instruction": "b", "input": "c", "output": ""}]


def test_records_become_two_turns_each(tmp_path: Path) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps(DATA))
    assert convert_alpaca(source, tmp_path / "c.json") == 2
    text = (tmp_path / "c.json").read_text(encoding="utf-8")
    made = json.loads(text)
    assert text == json.dumps(made, indent=2, ensure_ascii=False)
    assert [conversation["id"] for conversation in made] == ["1", "2"]
    assert [turn["from"] for turn in made[0]["conversations"]] == ["human", "gpt"]
    assert made[0]["conversations"][1]["value"] == "é"


def test_a_bad_record_leaves_no_file(tmp_path: Path) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps([*DATA, {}]))
    with pytest.raises(MindrailError, match="record 3, field 'instruction'"):
        convert_alpaca(source, tmp_path / "c.json")
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]
    assert convert_alpaca(source, tmp_path / "c.json", on_bad=lambda error: None) == 2
    with pytest.raises(MindrailError, match="exists already"):
        convert_alpaca(source, tmp_path / "c.json")


def test_the_real_file_is_mindformers_own_to_the_byte(shared_data: Path, tmp_path: Path) -> None:
    convert_alpaca(shared_data / "codealpaca" / "code_alpaca_2k.json", tmp_path / "c.json")
    theirs = (shared_data / "golden" / "llama_conversation.json").read_bytes()
    assert (tmp_path / "c.json").read_bytes() == theirs
