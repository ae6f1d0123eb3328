"""Small vocabularies of the three kinds, trained here, and the real ones if they are available."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CORPUS = [
    "def add(a, b):\n    return a + b\n",
    "for (let i = 0; i < 10; i++) {\n\tconsole.log(i);\n}\n",
    "Below is an instruction that describes a task. Write a response that completes the request.",
    "### Instruction:\nWrite a function.\n\n### Input:\nlist = [1, 2, 3]\n\n### Response:The function is",
    "USER: hello world ASSISTANT: the quick brown fox jumps over the lazy dog [INST] [/INST]",
    "return None if type(None) is type(x) else None",
] * 4
STARCODER_SPECIALS = ["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<filename>"]
QWEN2_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
DEEPSEEK_SPECIALS = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|EOT|>"]


def starcoder_split() -> list[pre_tokenizers.PreTokenizer]:
    """The pre-tokenizer of StarCoder's tokenizer.json: single digits, then GPT-2's words."""
    return [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]


def deepseek_split() -> list[pre_tokenizers.PreTokenizer]:
    """The pre-tokenizer of DeepSeek-Coder's tokenizer.json: lines, letters, punctuation, CJK, digits."""
    patterns = ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+")
    return [
        *(pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns),
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]


def qwen2_split() -> list[pre_tokenizers.PreTokenizer]:
    """What Qwen2's tokenizer.json splits by: contractions, words, single digits, punctuation, lines."""
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    return [
        pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]


def train_byte_level(specials: list[str], split: list[pre_tokenizers.PreTokenizer]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


@pytest.fixture(scope="session")
def vocab_merges_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vocab.json, merges.txt and configs of StarCoder's kind; [PAD] added after the vocabulary."""
    directory = tmp_path_factory.mktemp("starcoder")
    tokenizer = train_byte_level(STARCODER_SPECIALS, starcoder_split())
    tokenizer.model.save(str(directory))
    (directory / "added_tokens.json").write_text(json.dumps({"[PAD]": tokenizer.get_vocab_size()}))
    config = {"eos_token": "<|endoftext|>", "pad_token": "[PAD]"}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


@pytest.fixture(scope="session")
def tokenizer_json_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tokenizer.json of DeepSeek's kind: an added letter that is not a special token, <|EOT|> not flagged."""
    directory = tmp_path_factory.mktemp("deepseek")
    tokenizer = train_byte_level(DEEPSEEK_SPECIALS[:2], deepseek_split())
    tokenizer.add_tokens(
        [AddedToken("ö", normalized=True), AddedToken("<|EOT|>", normalized=False, special=False)]
    )
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {"bos_token": {"content": DEEPSEEK_SPECIALS[0]}, "eos_token": DEEPSEEK_SPECIALS[1]}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


@pytest.fixture(scope="session")
def qwen2_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of Qwen2's kind: its control tokens are added behind the vocabulary, and none begins a text."""
    directory = tmp_path_factory.mktemp("qwen2")
    tokenizer = train_byte_level([], qwen2_split())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.model.save(str(directory))
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in QWEN2_SPECIALS])
    tokenizer.save(str(directory / "tokenizer.json"))
    ids = {text: tokenizer.token_to_id(text) for text in QWEN2_SPECIALS}
    added = {
        str(number): {"content": text, "normalized": False, "special": True} for text, number in ids.items()
    }
    config = {
        "added_tokens_decoder": added,
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer",
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    generation = {"bos_token_id": ids["<|endoftext|>"], "eos_token_id": [ids["<|im_end|>"]]}
    (directory / "generation_config.json").write_text(json.dumps(generation))
    return directory


CHAT_TEMPLATE = """
{%- set qwen = 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' %}
{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\n' + qwen + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role != 'system' or not loop.first %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
"""Qwen2.5-Coder's, without what it does with tools."""


def train_sentencepiece(**options: Any) -> bytes:
    """Return a tokenizer.model as Llama's is trained, but for what the options change."""
    model = io.BytesIO()
    lines = iter([line for text in CORPUS for line in text.split("\n") if line])
    like_llama: dict[str, Any] = {
        "model_type": "bpe",
        "vocab_size": 420,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "byte_fallback": True,
        "split_digits": True,
        "allow_whitespace_only_pieces": True,
        "unk_id": 0,
        "bos_id": 1,
        "eos_id": 2,
        "pad_id": -1,
        "minloglevel": 2,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=model, **{**like_llama, **options}
    )
    return model.getvalue()


@pytest.fixture(scope="session")
def sentencepiece_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tokenizer.model of Llama's kind: BPE, identity, byte fallback, <unk> <s> </s> as 0 1 2."""
    directory = tmp_path_factory.mktemp("llama")
    (directory / "tokenizer.model").write_bytes(train_sentencepiece())
    return directory


@pytest.fixture(scope="session")
def real_tokenizers(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real vocabularies by name, with the special tokens their models publish."""
    directory = tmp_path_factory.mktemp("tokenizers")
    for name in ("starcoder1", "deepseek-coder", "deepseek-coder-v1.5", "llama2"):
        shutil.copytree(shared_data / "tokenizers" / name, directory / name)
    (directory / "starcoder1" / "added_tokens.json").write_text('{"[PAD]": 49152}')
    configs = {
        "starcoder1": {"eos_token": "<|endoftext|>", "pad_token": "[PAD]"},
        "deepseek-coder": {"bos_token": DEEPSEEK_SPECIALS[0], "pad_token": DEEPSEEK_SPECIALS[1]},
        "deepseek-coder-v1.5": {"bos_token": DEEPSEEK_SPECIALS[0], "eos_token": "<|EOT|>"},
        # MindFormers' Llama rows are filled with 0.
        "llama2": {"pad_token": "<unk>"},
    }
    for name, config in configs.items():
        (directory / name / "tokenizer_config.json").write_text(json.dumps(config))
    return directory
