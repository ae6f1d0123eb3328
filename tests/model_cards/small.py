"""The model cards' models, small: the published repository's files around random weights of the right family.

Vocabulary rows are as many as published, because padding's row is the last one of some; everything else is
small. Tokenizers are of the published kind, trained on a few lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file
from tokenizers import Tokenizer

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.checkpoints.random_weights import write_random_weights
from tests.families import small
from tests.modelcore.data.conftest import (
    DEEPSEEK_SPECIALS,
    STARCODER_SPECIALS,
    deepseek_split,
    starcoder_split,
    train_byte_level,
    train_sentencepiece,
)

__all__ = ["PUBLISHED", "Published", "as_torch", "write_published"]

POSITIONS = 512
HEADS = 16  # 8 of keys and values: the largest model_parallel of the cards


def _filled(tokenizer: Tokenizer, size: int) -> Tokenizer:
    """Return the tokenizer with as many tokens as published, so that added ones get their published ids."""
    raw = json.loads(tokenizer.to_str())
    vocabulary = raw["model"]["vocab"]
    vocabulary.update({f"<unused{number}>": number for number in range(len(vocabulary), size)})
    return Tokenizer.from_str(json.dumps(raw))


def _starcoder(directory: Path) -> None:
    tokenizer = _filled(train_byte_level(STARCODER_SPECIALS, starcoder_split()), 49152)
    tokenizer.model.save(str(directory))
    tokenizer.save(str(directory / "tokenizer.json"))
    names = {"eos_token": "<|endoftext|>", "pad_token": "[PAD]"}
    _write(
        directory, {"added_tokens": {"[PAD]": 49152}, "special_tokens_map": names, "tokenizer_config": names}
    )


def _llama(directory: Path) -> None:
    (directory / "tokenizer.model").write_bytes(train_sentencepiece())
    names = {"bos_token": "<s>", "eos_token": "</s>"}
    _write(directory, {"special_tokens_map": names, "tokenizer_config": names | {"add_bos_token": True}})


def _wizardcoder_python(directory: Path) -> None:
    (directory / "tokenizer.model").write_bytes(train_sentencepiece())
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "[PAD]"}
    _write(
        directory, {"added_tokens": {"[PAD]": 32000}, "special_tokens_map": names, "tokenizer_config": names}
    )


def _deepseek(directory: Path) -> None:
    tokenizer = _filled(train_byte_level([], deepseek_split()), 100000)
    bos, eos, eot = DEEPSEEK_SPECIALS
    tokenizer.add_special_tokens([bos, eos, *(f"<placeholder{number}>" for number in range(13)), eot])
    tokenizer.save(str(directory / "tokenizer.json"))
    names = {"bos_token": bos, "eos_token": eot, "pad_token": eot, "add_bos_token": True}
    _write(directory, {"tokenizer_config": names})


def _write(directory: Path, files: dict[str, dict[str, Any]]) -> None:
    for name, contents in files.items():
        (directory / f"{name}.json").write_text(json.dumps(contents))


@dataclass(frozen=True)
class Published:
    """One published repository.

    Attributes:
        repository: owner/name.
        family: its model_type.
        vocabulary: rows of its embedding.
        tokenizer: writes tokenizer files of its kind into a directory.
        ids: its special ids in config.json, by the role's name.
        torch: whether its weights are a pytorch_model.bin.
    """

    repository: str
    family: str
    vocabulary: int
    tokenizer: Callable[[Path], None]
    ids: dict[str, int] = field(default_factory=dict)
    torch: bool = False


PUBLISHED = {
    found.repository: found
    for found in (
        Published("WizardLMTeam/WizardCoder-15B-V1.0", "gpt_bigcode", 49153, _starcoder, torch=True),
        Published("codellama/CodeLlama-34b-hf", "llama", 32000, _llama),
        Published(
            "WizardLMTeam/WizardCoder-Python-34B-V1.0", "llama", 32001, _wizardcoder_python, torch=True
        ),
        Published(
            "deepseek-ai/deepseek-coder-7b-base-v1.5",
            "llama",
            102400,
            _deepseek,
            {"bos": 100000, "eos": 100015},
        ),
    )
}
"""By owner/name: what the five cards download."""


def write_published(repository: str, directory: Path) -> Path:
    """Write what a repository holds, small, into a new directory, and return it."""
    published = PUBLISHED[repository]
    described = directory.with_name(f"{directory.name}_described")
    weights = directory.with_name(f"{directory.name}_weights")
    for made in (described, weights):
        made.mkdir(parents=True)
    config = small(published.family, vocab=published.vocabulary, positions=POSITIONS, heads=HEADS)
    config |= {f"{role}_token_id": number for role, number in published.ids.items()}
    (described / "config.json").write_text(json.dumps(config | {"torch_dtype": "float32"}))
    (described / "generation_config.json").write_text("{}")
    published.tokenizer(described)
    write_random_weights(described, weights, seed=1)
    directory.mkdir()
    convert_checkpoint(weights, directory, to="hf")
    if published.torch:
        as_torch(directory)
    (directory / "conversion.json").unlink(missing_ok=True)
    return directory


def as_torch(directory: Path) -> None:
    """Put a pytorch_model.bin in the place of the safetensors files."""
    import torch

    files = sorted(directory.glob("*.safetensors*"))
    tensors = {
        k: torch.from_numpy(v) for f in files if f.suffix == ".safetensors" for k, v in load_file(f).items()
    }
    torch.save(tensors, directory / "pytorch_model.bin")
    for file in files:
        file.unlink()
