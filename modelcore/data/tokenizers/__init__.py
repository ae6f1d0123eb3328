"""Tokenizers with the models' own vocabularies: one interface for three file formats."""

from modelcore.data.tokenizers.describe import describe_tokenizer, tokenize
from modelcore.data.tokenizers.load import load_tokenizer, tokenizer_files, tokenizer_home
from modelcore.data.tokenizers.protocol import Marked, Tokenizer

__all__ = [
    "Marked",
    "Tokenizer",
    "describe_tokenizer",
    "load_tokenizer",
    "tokenize",
    "tokenizer_files",
    "tokenizer_home",
]
