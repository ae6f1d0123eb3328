"""Whether a model's prompts begin with its beginning-of-sequence token, by its tokenizer's own files.

CodeLlama, DeepSeek-Coder and WizardCoder-Python were trained on texts that begin with BOS and lose accuracy
without it; WizardCoder-15B and Qwen2.5-Coder were trained without. Nothing is encoded here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.store.json_file import LARGEST_VOCABULARY, read_json_object

__all__ = ["begins_with_bos"]


def begins_with_bos(path: Path) -> bool:
    """Return whether the tokenizer in a directory, or of one vocabulary file, puts BOS before a text.

    The first of these that says anything decides, as in transformers 4, which the published scores of these
    models were computed with:

    1. `add_bos_token` of tokenizer_config.json;
    2. the post-processor of tokenizer.json: a template that begins with a special token;
    3. a sentencepiece model of Llama's kind (`tokenizer.model`), which adds it by default.

    Raises:
        MindrailError: `add_bos_token` is not true or false, or a file is not JSON.
    """
    directory, file = (path.parent, path) if path.is_file() else (path, None)
    config = directory / "tokenizer_config.json"
    added = read_json_object(config).get("add_bos_token") if config.is_file() else None
    if added is not None:
        if not isinstance(added, bool):
            raise MindrailError(
                f"{added!r}, must be true or false", where=f"{config}: add_bos_token", fix="correct it"
            )
        return added
    tokenizer = file or directory / "tokenizer.json"
    if (
        tokenizer.suffix == ".json"
        and tokenizer.is_file()
        and (processor := read_json_object(tokenizer, LARGEST_VOCABULARY).get("post_processor"))
    ):
        return _begins_with_special(processor)
    if file is not None:
        return file.suffix == ".model"
    return (directory / "tokenizer.model").is_file()


def _begins_with_special(processor: Any) -> bool:
    """Return whether a post-processor of `tokenizers` puts a special token before a single text."""
    if not isinstance(processor, dict):
        return False
    if processor.get("type") == "Sequence":
        return any(map(_begins_with_special, processor.get("processors") or []))
    single = processor.get("single") if processor.get("type") == "TemplateProcessing" else None
    return isinstance(single, list) and bool(single) and "SpecialToken" in single[0]
