"""Alpaca records are converted into conversations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelcore.data.mindrecord.file import read_mindrecord
from modelcore.data.preprocess import preprocess
from modelcore.data.sources.conversations import convert_alpaca
from modelcore.errors import MindrailError

DATA = [{"instruction": "Grüß", "output": "é"}, {"instruction": "b", "input": "c", "output": ""}]
WRITTEN = r"""[
  {
    "id": "1",
    "conversations": [
      {
        "from": "human",
        "value": "…\n\n### Instruction:\nSay \"Grüß\".\n\n### Input:\nc\n\n\n### Response:"
      },
      {
        "from": "gpt",
        "value": "\té 🙂\n"
      }
    ]
  }
]
"""


def test_records_become_two_turns_each(tmp_path: Path) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps(DATA))
    assert convert_alpaca(source, tmp_path / "c.json") == (2, 0)
    text = (tmp_path / "c.json").read_text(encoding="utf-8")
    made = json.loads(text)
    assert text == json.dumps(made, indent=2, ensure_ascii=False)
    assert [conversation["id"] for conversation in made] == ["1", "2"]
    assert [turn["from"] for turn in made[0]["conversations"]] == ["human", "gpt"]
    assert made[0]["conversations"][1]["value"] == "é"


def test_the_file_is_the_one_that_mindformers_writes(tmp_path: Path) -> None:
    source = tmp_path / "s.json"
    alpaca_preamble = (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request."
    )
    source.write_text(json.dumps([{"instruction": 'Say "Grüß".', "input": "c\n", "output": "\té 🙂\n"}]))
    convert_alpaca(source, tmp_path / "c.json")
    assert (tmp_path / "c.json").read_bytes().decode() + "\n" == WRITTEN.replace("…", alpaca_preamble)


def test_a_bad_record_leaves_no_file(tmp_path: Path) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps([*DATA, {}]))
    with pytest.raises(MindrailError, match="record 3, field 'instruction'"):
        convert_alpaca(source, tmp_path / "c.json")
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]
    assert convert_alpaca(source, tmp_path / "c.json", skip_bad=True) == (2, 1)
    with pytest.raises(MindrailError, match="exists already"):
        convert_alpaca(source, tmp_path / "c.json")


def test_a_source_without_a_usable_record_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "s.json"
    source.write_text("[{}]")
    with pytest.raises(MindrailError, match="no usable record"):
        convert_alpaca(source, tmp_path / "c.json", skip_bad=True)
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_conversations_give_the_rows_that_their_alpaca_records_give(
    tmp_path: Path, sentencepiece_dir: Path
) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps([*DATA, {"instruction": "say ASSISTANT: </s>", "output": "a\n\nb"}]))
    convert_alpaca(source, tmp_path / "c.json")
    one, other = (llama_rows(tmp_path / name, sentencepiece_dir, 300) for name in ("s.json", "c.json"))
    assert np.array_equal(one, other)


def test_the_real_conversations_give_the_rows_that_the_real_records_give(
    shared_data: Path, real_tokenizers: Path, tmp_path: Path
) -> None:
    (tmp_path / "s.json").symlink_to(shared_data / "codealpaca" / "code_alpaca_2k.json")
    (tmp_path / "c.json").symlink_to(shared_data / "golden" / "llama_conversation.json")
    one, other = (
        llama_rows(tmp_path / name, real_tokenizers / "llama2", 512) for name in ("s.json", "c.json")
    )
    assert np.array_equal(one, other)


def llama_rows(source: Path, vocabulary: Path, seq_length: int) -> np.ndarray:
    out = source.with_suffix(".mindrecord")
    preprocess(source, out, format="llama", tokenizer_dir=vocabulary, seq_length=seq_length)
    return np.array([[row["input_ids"], row["labels"]] for row in read_mindrecord(out)])


def test_the_converted_file_has_the_bytes_of_mindformers(shared_data: Path, tmp_path: Path) -> None:
    convert_alpaca(shared_data / "codealpaca" / "code_alpaca_2k.json", tmp_path / "c.json")
    theirs = (shared_data / "golden" / "llama_conversation.json").read_bytes()
    assert (tmp_path / "c.json").read_bytes() == theirs
