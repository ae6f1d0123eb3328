"""The vocabulary in a directory is detected and loaded with its special ids."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcore.data.tokenizers import load_tokenizer, tokenizer_files
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.errors import MindrailError
from tests.modelcore.data.conftest import train_sentencepiece

TEXT = "def add(a, b):\n    return  a + 123 # wörld 🙂\t\n"


@pytest.fixture(params=["vocab_merges_dir", "tokenizer_json_dir", "sentencepiece_dir"])
def any_directory(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def test_every_kind_decodes_to_the_original_text(any_directory: Path) -> None:
    tokenizer = load_tokenizer(any_directory)
    for specials in (True, False):
        assert tokenizer.decode(tokenizer.encode(TEXT, specials=specials), skip_special=False) == TEXT


def test_an_id_that_the_vocabulary_does_not_have_adds_no_text(any_directory: Path) -> None:
    """A model's embedding may have more rows than its tokenizer has tokens, and generate their ids."""
    tokenizer = load_tokenizer(any_directory)
    ids = tokenizer.encode("one two")
    beyond = tokenizer.vocab_size + 7
    assert tokenizer.decode([beyond, *ids[:1], beyond, beyond, *ids[1:], beyond]) == "one two"
    assert tokenizer.decode([beyond], continues=True) == ""


def test_a_batch_has_the_ids_of_its_texts_one_by_one(any_directory: Path) -> None:
    tokenizer = load_tokenizer(any_directory)
    texts = [TEXT, "", "a", " a", "\n\n"]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]


def test_every_id_is_below_vocab_size(any_directory: Path) -> None:
    tokenizer = load_tokenizer(any_directory)
    assert max(tokenizer.encode(TEXT)) < tokenizer.vocab_size
    assert len(tokenizer.pieces([tokenizer.vocab_size - 1])) == 1


def test_marks_split_the_tokens_where_the_text_is_split(any_directory: Path) -> None:
    tokenizer = load_tokenizer(any_directory)
    text = "one two\n three  four ünd 12"
    positions = list(range(len(text) + 1))
    marked = tokenizer.encode_marked([text] * len(positions), positions)
    ids, marks = tokenizer.encode(text), marked.marks.tolist()
    assert marked.ids.tolist() == ids * len(positions)
    assert marked.lengths.tolist() == [len(ids)] * len(positions)
    assert marks[0] == 0 and marks[-1] == len(ids) and marks == sorted(marks)
    for position in (3, 7, 13):  # before a space or a line end: always a token's beginning here
        assert tokenizer.decode(ids[: marks[position]]) == text[:position]


load_cached = functools.cache(load_tokenizer)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(st.sampled_from("ab 1\nö🙂▁</s>|#")), st.text(max_size=9)), max_size=6))
def test_tokens_before_a_mark_are_those_that_begin_before_it(
    any_directory: Path, pairs: list[tuple[str, str]]
) -> None:
    """Shown by decoding ever more tokens: one that begins before the mark adds to the text before it."""
    tokenizer = load_cached(any_directory)
    pairs = [(head.replace("▁", "_"), tail.replace("▁", "_")) for head, tail in pairs]
    texts = [head + tail for head, tail in pairs]
    for specials in (True, False):
        marked = tokenizer.encode_marked(texts, [len(head) for head, _ in pairs], specials=specials)
        ends = np.cumsum(marked.lengths).tolist()
        for (head, tail), end, length, mark in zip(
            pairs, ends, marked.lengths.tolist(), marked.marks.tolist(), strict=True
        ):
            ids = marked.ids[end - length : end].tolist()
            assert ids == tokenizer.encode(head + tail, specials=specials)
            if not head:
                assert mark == 0
            if not tail:
                assert mark == length
            if head and tail:
                spelt = tokenizer.decode(ids[:mark], skip_special=False).encode()
                assert len(spelt) >= len(head.encode())
                if mark:
                    shorter = tokenizer.decode(ids[: mark - 1], skip_special=False).rstrip("\ufffd").encode()
                    assert len(shorter) < len(head.encode())


def test_a_token_across_a_mark_counts_as_before_it(vocab_merges_dir: Path) -> None:
    tokenizer = load_tokenizer(vocab_merges_dir)
    assert tokenizer.pieces(tokenizer.encode("Below is")) == ["Below", "Ġis"]
    assert tokenizer.encode_marked(["Below is"] * 5, [0, 3, 5, 7, 8]).marks.tolist() == [0, 1, 1, 2, 2]


def test_special_ids_come_from_the_files_beside_the_vocabulary(vocab_merges_dir: Path) -> None:
    tokenizer = load_tokenizer(vocab_merges_dir)
    assert (tokenizer.bos_id, tokenizer.eos_id) == (None, 0)
    assert tokenizer.pad_id == tokenizer.vocab_size - 1 == tokenizer.token_id("[PAD]")


def test_sentencepiece_has_its_own_bos_and_eos_but_no_padding(sentencepiece_dir: Path) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (1, 2, None)


def test_generation_config_gives_the_ids_of_tokens_that_no_file_names(
    vocab_merges_dir: Path, tmp_path: Path
) -> None:
    directory = shutil.copytree(vocab_merges_dir, tmp_path / "t")
    (directory / "tokenizer_config.json").unlink()
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 3], "bos_token_id": 1}))
    tokenizer = load_tokenizer(directory)
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (1, 0, None)


def test_a_special_token_in_the_text_is_one_id_or_characters(any_directory: Path) -> None:
    tokenizer = load_tokenizer(any_directory)
    eos = tokenizer.pieces([tokenizer.eos_id or 0])[0]
    ids = tokenizer.encode(f"a{eos}b")
    assert ids.count(tokenizer.eos_id or 0) == 1
    plain = tokenizer.encode(f"a{eos}b", specials=False)
    assert tokenizer.eos_id not in plain and len(plain) > len(ids)
    assert tokenizer.decode(ids) == "ab" and tokenizer.decode(ids, skip_special=False) == f"a{eos}b"


def test_bos_and_eos_are_added_on_request(sentencepiece_dir: Path, vocab_merges_dir: Path) -> None:
    ids = load_tokenizer(sentencepiece_dir).encode("a", bos=True, eos=True)
    assert (ids[0], ids[-1]) == (1, 2)
    with pytest.raises(MindrailError, match="no bos token"):
        load_tokenizer(vocab_merges_dir).encode("a", bos=True)


def test_digits_are_split_by_a_vocabulary_whose_merges_have_none(vocab_merges_dir: Path) -> None:
    tokenizer = load_tokenizer(vocab_merges_dir)
    assert tokenizer.pieces(tokenizer.encode("   12")) == ["ĠĠ", "Ġ", "1", "2"]


def test_an_added_letter_decodes_to_itself(tokenizer_json_dir: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_json_dir)
    ids = tokenizer.encode("wörd")
    assert tokenizer.token_id("ö") in ids and tokenizer.decode(ids) == "wörd"


def test_text_that_continues_keeps_its_leading_space(sentencepiece_dir: Path) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    whole = tokenizer.encode("def add(a, b):\n    return a")
    rest = whole[len(tokenizer.encode("def add(a, b):\n")) :]
    assert tokenizer.decode(rest, continues=True) == "    return a"


def test_each_part_between_special_tokens_is_encoded_separately(sentencepiece_dir: Path) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    joined = tokenizer.encode("the dog</s>USER: hello")
    assert joined == [*tokenizer.encode("the dog"), 2, *tokenizer.encode("USER: hello")]


def test_an_empty_directory_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(
        MindrailError, match=r"no tokenizer.model, tokenizer.json, or vocab.json with merges.txt"
    ):
        load_tokenizer(tmp_path)
    with pytest.raises(MindrailError, match="no such directory"):
        load_tokenizer(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "tokenizer_config.json",
            '{"eos_token": "<nowhere>"}',
            "eos_token '<nowhere>' is not in the vocabulary",
        ),
        ("tokenizer_config.json", '{"eos_token": 3}', "eos_token is 3, expected text"),
        ("tokenizer_config.json", "[1]", "not a JSON object"),
        ("tokenizer_config.json", "{", "not JSON"),
        ("added_tokens.json", '{"[PAD]": 7}', "'\\[PAD\\]' should be id 7"),
        ("added_tokens.json", '{"[PAD]": "x"}', "is not a whole number"),
        ("generation_config.json", '{"bos_token_id": 99999}', "99999 is outside"),
        ("vocab.json", '{"a": 0}', "is not a merge of this vocabulary"),
        ("merges.txt", "#version: 0.2\na b c\n", "line 2 'a b c' is not a merge"),
    ],
)
def test_files_that_contradict_each_other_are_refused_by_name(
    vocab_merges_dir: Path, tmp_path: Path, name: str, content: str, message: str
) -> None:
    directory = shutil.copytree(vocab_merges_dir, tmp_path / "t")
    (directory / name).write_text(content)
    with pytest.raises(MindrailError, match=message) as caught:
        load_tokenizer(directory)
    assert str(directory) in str(caught.value)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.model"])
def test_a_damaged_vocabulary_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'{"model": 1}')
    with pytest.raises(MindrailError, match=name):
        load_tokenizer(tmp_path)


def test_the_files_of_a_tokenizer_are_listed_in_order(vocab_merges_dir: Path) -> None:
    names = [path.name for path in tokenizer_files(vocab_merges_dir)]
    assert names == ["vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"]


def test_marks_are_found_where_a_normalizer_changes_the_text(
    tokenizer_json_dir: Path, tmp_path: Path
) -> None:
    """NFC, as Qwen2's tokenizer.json has it: the tokens spell other bytes than the text has."""
    directory = shutil.copytree(tokenizer_json_dir, tmp_path / "nfc")
    state = json.loads((directory / "tokenizer.json").read_text())
    (directory / "tokenizer.json").write_text(json.dumps(state | {"normalizer": {"type": "NFC"}}))
    tokenizer = load_tokenizer(directory)
    decomposed, composed = "Cafe\u0301 noir cafe\u0301", "Caf\u00e9 noir caf\u00e9"
    assert tokenizer.encode(decomposed) == tokenizer.encode(composed)
    for specials in (True, False):
        marked = tokenizer.encode_marked([decomposed] * 4 + ["plain"], [0, 5, 10, 16, 2], specials=specials)
        ids = tokenizer.encode(composed, specials=specials)
        before = [tokenizer.decode(ids[:mark]) for mark in marked.marks[:4]]
        assert before == ["", "Caf\u00e9", "Caf\u00e9 noir", composed]
        assert marked.ids[: len(ids)].tolist() == ids


def test_a_mark_behind_special_tokens_counts_them(sentencepiece_dir: Path) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    text = "ab</s><s>cd"
    first = len(tokenizer.encode("ab"))
    marks = tokenizer.encode_marked([text] * 6, [0, 2, 4, 6, 9, 11]).marks.tolist()
    assert marks == [0, first, first + 1, first + 1, first + 2, len(tokenizer.encode(text))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer_config.json", '{"eos_token": "<none>"}', "'<none>' is not in the vocabulary"),
        (
            "tokenizer_config.json",
            '{"additional_special_tokens": ["<none>"]}',
            "special token '<none>' is not in the vocabulary",
        ),
        ("generation_config.json", '{"pad_token_id": 420}', "id 420 is outside the 420 ids"),
        ("added_tokens.json", '{"<x>": 7}', "'<x>' should be id 7, which is '<0x04>'"),
    ],
)
def test_files_beside_a_sentencepiece_model_that_do_not_fit_are_refused(
    sentencepiece_dir: Path, tmp_path: Path, name: str, content: str, message: str
) -> None:
    directory = shutil.copytree(sentencepiece_dir, tmp_path / "t")
    (directory / name).write_text(content)
    with pytest.raises(MindrailError, match=message):
        load_tokenizer(directory)


def test_a_sentencepiece_model_without_a_role_says_how_to_name_it(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(train_sentencepiece(bos_id=-1))
    tokenizer = load_tokenizer(tmp_path)
    assert (tokenizer.bos_id, tokenizer.eos_id) == (None, 2)
    with pytest.raises(MindrailError, match="no bos token; set bos_token in tokenizer_config.json"):
        tokenizer.encode("a", bos=True)


@pytest.mark.parametrize(
    "options",
    [
        {"normalization_rule_name": "nmt_nfkc"},
        {"remove_extra_whitespaces": True},
        {"add_dummy_prefix": False},
        {"byte_fallback": False, "hard_vocab_limit": False},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_sentencepiece_model_that_changes_its_text_is_refused(tmp_path: Path, options: dict) -> None:
    (tmp_path / "tokenizer.model").write_bytes(train_sentencepiece(**options))
    with pytest.raises(MindrailError, match=r"only vocabularies .* Llama's .* are supported"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", b'{"a": "1"}', "vocab.json: an id is not a whole number"),
        ("vocab.json", b'{"a": -1}', "vocab.json: an id is not a whole number"),
        ("merges.txt", b"a \xff\n", r"merges.txt: not UTF-8 \(invalid start byte at byte 2\)"),
    ],
)
def test_a_vocabulary_with_wrong_entries_is_refused(
    vocab_merges_dir: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    directory = shutil.copytree(vocab_merges_dir, tmp_path / "t")
    (directory / name).write_bytes(content)
    with pytest.raises(MindrailError, match=message):
        load_tokenizer(directory)


def test_a_vocabulary_file_may_be_named_instead_of_its_directory(
    sentencepiece_dir: Path, tokenizer_json_dir: Path, tmp_path: Path
) -> None:
    for directory, name in ((sentencepiece_dir, "tokenizer.model"), (tokenizer_json_dir, "tokenizer.json")):
        named = load_tokenizer(directory / name)
        assert named.encode(TEXT) == load_tokenizer(directory).encode(TEXT)
        assert named.eos_id == load_tokenizer(directory).eos_id
    renamed = shutil.copyfile(sentencepiece_dir / "tokenizer.model", tmp_path / "codellama.model")
    assert load_tokenizer(renamed).encode(TEXT) == load_tokenizer(sentencepiece_dir).encode(TEXT)
    assert begins_with_bos(renamed)
    with pytest.raises(MindrailError, match="not a tokenizer.model or tokenizer.json"):
        load_tokenizer(Path(__file__))
