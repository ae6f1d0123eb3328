"""Tiny models of transformers with random weights, and their conversion to ours."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
import pytest
import torch
import transformers

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.models.families import read_model
from modelcore.models.fill import fill
from modelcore.models.network import WHOLE_NETWORK, Transformer
from modelcore.weights.checkpoint import open_checkpoint
from modelcore.weights.tensors import read
from tests import families

VOCABULARY = 151


def config(family: str, **changes: Any) -> families.Config:
    """Return a family's config.json with room for a prompt of several chunks; changes are by its own keys."""
    return families.small(family, vocab=VOCABULARY, positions=192) | changes


LINEAR = {"rope_type": "linear", "rope_theta": 1e5, "factor": 4.0}
VARIANTS: dict[str, families.Config] = {name: config(name) for name in families.NAMES} | {
    "llama, multi-head": config("llama", num_key_value_heads=4),
    "llama, theta 1e6": config("llama", rope_parameters={"rope_type": "default", "rope_theta": 1e6}),
    "llama, linear scaling": config("llama", rope_parameters=LINEAR),
    "llama, linear scaling, tied": config("llama", rope_parameters=LINEAR, tie_word_embeddings=True),
    "qwen2, untied": config("qwen2", tie_word_embeddings=False),
    "gpt_bigcode, exact gelu, untied": config(
        "gpt_bigcode", activation_function="gelu", tie_word_embeddings=False
    ),
}
"""Every family, and what within a family changes the numbers."""

SOME_VARIANTS = [
    pytest.param(name, marks=() if name in (*families.NAMES, "llama, linear scaling") else pytest.mark.long)
    for name in VARIANTS
]
"""For tests that compile: of what varies within a family, one in every run and the rest in the long ones."""


def model(raw: families.Config, *, deviation: float = 0.1) -> transformers.PreTrainedModel:
    """Return transformers' model of a config.json; every parameter, biases and norms too, is random."""
    described = transformers.AutoConfig.for_model(**raw)
    made = transformers.AutoModelForCausalLM.from_config(described, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += torch.randn(parameter.shape, generator=generator) * deviation
    return made.eval()


def convert(theirs: transformers.PreTrainedModel, directory: Path) -> Path:
    """Save the model in Hugging Face's form and convert it; return the MindSpore directory."""
    theirs.save_pretrained(directory / "hf")
    convert_checkpoint(directory / "hf", directory / "mindspore", to="mindspore")
    return directory / "mindspore"


def load(directory: Path) -> Transformer:
    """Return our network of a MindSpore directory, with its weights."""
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    described = read_model(directory)
    network = described.family.network(described.config, WHOLE_NETWORK)
    parameters = {parameter.name: parameter for parameter in network.get_parameters()}
    fill(parameters, open_checkpoint(directory).tensors, directory)
    return network


def gradients(theirs: transformers.PreTrainedModel, directory: Path) -> dict[str, np.ndarray]:
    """Return the model's gradients under our names, converted as if they were weights."""
    copied = copy.deepcopy(theirs)
    for parameter, of in zip(copied.parameters(), theirs.parameters(), strict=True):
        parameter.data = of.grad
    tensors = open_checkpoint(convert(copied, directory)).tensors
    return {name: read(tensor) for name, tensor in tensors.items()}
