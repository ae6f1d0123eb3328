"""Which token fills up the rows of one preprocessing.

The loss does not depend on it: labels are masked by a sample's length, not by the token (`rows`).
"""

from __future__ import annotations

from pathlib import Path

from modelcore.data.encoding.compat import mindformers_pad
from modelcore.data.options import Options
from modelcore.data.tokenizers import Tokenizer
from modelcore.errors import MindrailError
from modelcore.store.json_file import read_json_object

__all__ = ["padding_id"]


def padding_id(options: Options, tokenizer: Tokenizer, directory: Path, *, closing: int) -> int:
    """Return the id of the padding: the chosen one, or the default.

    By default it is the vocabulary's padding token, else its unknown token (CodeLlama's `<unk>`), else the
    one that ends an answer. `compat: mindformers` takes MindFormers' own.

    Args:
        options: of preprocessing.
        tokenizer: the tokenizer in `directory`.
        directory: of the tokenizer files; a config.json in it says how many tokens the model knows.
        closing: id that ends an answer.

    Raises:
        MindrailError: the model, or without config.json the vocabulary, has no such token.
    """
    theirs = mindformers_pad(options.format, tokenizer) if options.compat == "mindformers" else None
    candidates = (options.pad_id, theirs, tokenizer.pad_id, tokenizer.unk_id)
    number = next((number for number in candidates if number is not None), closing)
    rows = _embedding_rows(directory / "config.json")
    if rows is not None and number >= rows:
        raise _outside(number, f"the model's {rows} embedding rows", rows)
    if rows is None and number == options.pad_id and number >= tokenizer.vocab_size:
        raise _outside(number, f"the vocabulary's {tokenizer.vocab_size} ids", tokenizer.vocab_size)
    return number


def _embedding_rows(config: Path) -> int | None:
    rows = read_json_object(config).get("vocab_size") if config.is_file() else None
    return rows if isinstance(rows, int) else None


def _outside(pad_id: int, of: str, known: int) -> MindrailError:
    return MindrailError(f"{pad_id} is outside {of}", where="pad_id", fix=f"give one below {known}")
