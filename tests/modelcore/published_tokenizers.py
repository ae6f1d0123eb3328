"""The shipped models' tokenizers, configured as published, and what transformers makes of the same files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Tokenizer, models, normalizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from modelcore.data.tokenizers import Tokenizer as OurTokenizer
from modelcore.data.tokenizers import load_tokenizer
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.generation.prompt_ids import encode_prompts
from tests.modelcore.chat_templates import CODELLAMA, DEEPSEEK
from tests.modelcore.data.conftest import CHAT_TEMPLATE, STARCODER_SPECIALS
from tests.modelcore.data.reference_rows import starcoder

__all__ = ["CONFIGS", "Published", "kind_of", "legacy_llama", "write_published"]

_DEEPSEEK = {
    "add_bos_token": True,
    "bos_token": "<｜begin▁of▁sentence｜>",
    "eos_token": "<｜end▁of▁sentence｜>",
    "chat_template": DEEPSEEK,
}
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "llama": {"add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>", "chat_template": CODELLAMA},
    "deepseek": _DEEPSEEK,
    "deepseek-v1.5": _DEEPSEEK,
    "starcoder": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    "qwen2": {"add_bos_token": False, "bos_token": None, "chat_template": CHAT_TEMPLATE},
}
"""What each kind's tokenizer_config.json says of BOS and of conversations (base models have no template)."""


def kind_of(model: str) -> str:
    """Return the kind of vocabulary of a shipped model."""
    if model.startswith("deepseek"):
        return "deepseek-v1.5" if "v1.5" in model else "deepseek"
    if model.startswith("qwen"):
        return "qwen2"
    return "starcoder" if model == "wizardcoder-15b" else "llama"


def write_published(files: Path, directory: Path, kind: str) -> None:
    """Link a vocabulary's files into `directory` and configure them as published."""
    for path in files.iterdir():
        if path.name != "tokenizer_config.json":
            (directory / path.name).symlink_to(path)
    theirs = files / "tokenizer_config.json"
    own = json.loads(theirs.read_text()) if kind == "qwen2" else {}
    (directory / "tokenizer_config.json").write_text(json.dumps({**own, **CONFIGS[kind]}))


@dataclass(frozen=True)
class Published:
    """The tokenizer of one kind in one directory: ours, and transformers'."""

    kind: str
    directory: Path

    @cached_property
    def ours(self) -> OurTokenizer:
        return load_tokenizer(self.directory)

    @cached_property
    def theirs(self) -> PreTrainedTokenizerBase:
        """The fast tokenizer that transformers 4 makes of these files; the published scores used that.

        transformers 5 ignores `add_bos_token` for tokenizers of the class LlamaTokenizer(Fast), which
        CodeLlama's and DeepSeek-Coder's are, and reads a tokenizer.model without its scores
        (`legacy_llama`). So the engine is built here, with the post-processor that transformers 4 gives it
        for `add_bos_token`, and transformers is asked through that.
        """
        if self.kind == "qwen2":
            found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(self.directory)
            return found
        config = CONFIGS[self.kind]
        engine = self._engine()
        if config.get("add_bos_token"):
            bos = str(config["bos_token"])
            engine.post_processor = processors.TemplateProcessing(
                single=f"{bos} $A", special_tokens=[(bos, engine.token_to_id(bos))]
            )
        names = {name: config.get(name) for name in ("bos_token", "eos_token", "chat_template")}
        return PreTrainedTokenizerFast(tokenizer_object=engine, **names)

    def _engine(self) -> Tokenizer:
        if self.kind == "llama":
            return legacy_llama(self.directory / "tokenizer.model")
        whole = self.directory / "tokenizer.json"
        if whole.is_file():
            return Tokenizer.from_file(str(whole))
        return starcoder(self.directory, STARCODER_SPECIALS, digits=True)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a prompt as they are sent to a model."""
        (ids,) = encode_prompts(self.ours, [text], bos=begins_with_bos(self.directory))
        return ids

    def chat_ids(self, messages: list[dict[str, str]], *, answer: bool = True) -> list[int]:
        """Return transformers' ids of a conversation; with `answer`, up to where the model answers."""
        ids = self.theirs.apply_chat_template(messages, add_generation_prompt=answer, return_dict=False)
        return list(ids)


def legacy_llama(path: Path) -> Tokenizer:
    """The tokenizer in the published tokenizer.json of Llama 2 and CodeLlama, rebuilt from tokenizer.model.

    transformers 5 reads tokenizer.model without its pieces' scores, puts the merge of two spaces first and so
    gives other ids than every earlier version, the published tokenizer.json and sentencepiece itself.
    """
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    vocab = {model.id_to_piece(i): i for i in range(model.get_piece_size())}
    merges = []
    for piece, number in vocab.items():
        parts = ((piece[:at], piece[at:]) for at in range(1, len(piece)))
        known = sorted((vocab[a], vocab[b], a, b) for a, b in parts if a in vocab and b in vocab)
        merges += [(-model.get_score(number), (a, b)) for _, _, a, b in known]
    ordered = [merge for _, merge in sorted(merges, key=lambda scored: scored[0])]
    bpe = models.BPE(vocab=vocab, merges=ordered, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    return tokenizer
