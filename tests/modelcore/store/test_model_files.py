"""A model's small files go with its weights, and nothing else does."""

from __future__ import annotations

from pathlib import Path

from modelcore.store.model_files import COMPANIONS, TOKENIZER_FILES, VOCABULARIES, copy_companions


def test_configuration_and_tokenizer_are_copied_and_weights_are_not(tmp_path: Path) -> None:
    source, destination = tmp_path / "source", tmp_path / "destination"
    source.mkdir()
    destination.mkdir()
    for name in ("config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors", "notes.json"):
        (source / name).write_text(name)
    (source / "merges.txt").mkdir()
    copies = copy_companions(source, destination)
    assert copies == [destination / name for name in ("config.json", "tokenizer.json", "chat_template.jinja")]
    assert sorted(destination.iterdir()) == sorted(copies)
    assert all(copy.read_text() == copy.name for copy in copies)


def test_a_vocabulary_is_the_first_of_a_tokenizers_files_and_all_of_them_are_companions() -> None:
    assert TOKENIZER_FILES[: len(VOCABULARIES)] == VOCABULARIES
    assert set(TOKENIZER_FILES) < set(COMPANIONS)
