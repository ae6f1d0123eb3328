"""A llama of one layer with random weights, in Hugging Face's and MindSpore's form."""

from __future__ import annotations

from pathlib import Path

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.demo.config import SmallLlama
from modelcore.demo.random_llama import write_random_llama
from modelcore.demo.tokenizer import write_tokenizer


def write_small_checkpoint(directory: Path, *, context: int = 128, chat_template: str | None = None) -> Path:
    """Write `directory`/hf and `directory`/mindspore; return the second."""
    source = directory / "hf"
    source.mkdir()
    tokenizer = write_tokenizer(source, ["def f(x):"], vocab_size=270, max_length=context)
    sizes = SmallLlama(
        hidden_size=32, num_layers=1, num_heads=2, num_kv_heads=1, intermediate_size=48, max_positions=context
    )
    vocabulary = tokenizer.get_vocab_size()
    write_random_llama(source, sizes, vocab_size=vocabulary, eos_id=0, pad_id=1, seed=3, shards=1)
    if chat_template is not None:
        (source / "chat_template.jinja").write_text(chat_template)
    convert_checkpoint(source, directory / "mindspore", to="mindspore")
    return directory / "mindspore"
