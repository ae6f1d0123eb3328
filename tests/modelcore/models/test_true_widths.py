"""One layer at the true width of every shipped model gives transformers' logits."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mindspore import Tensor

from . import tiny

CODE_LLAMA: dict[str, Any] = {
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
}
DEEPSEEK: dict[str, Any] = {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e5, "factor": 4.0}}


def llama(
    hidden: int, heads: int, kv_heads: int, inner: int, *, family: str = "llama", **changes: Any
) -> dict[str, Any]:
    return tiny.config(
        family,
        hidden_size=hidden,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=inner,
        num_hidden_layers=1,
        **changes,
    )


MODELS: dict[str, dict[str, Any]] = {
    "CodeLlama-7B": llama(4096, 32, 32, 11008, **CODE_LLAMA),
    "CodeLlama-13B": llama(5120, 40, 40, 13824, **CODE_LLAMA),
    "CodeLlama-34B": llama(8192, 64, 8, 22016, **CODE_LLAMA),
    "DeepSeek-Coder-1.3B": llama(2048, 16, 16, 5504, **DEEPSEEK),
    "DeepSeek-Coder-6.7B": llama(4096, 32, 32, 11008, **DEEPSEEK),
    "DeepSeek-Coder-33B": llama(7168, 56, 8, 19200, **DEEPSEEK),
    "DeepSeek-Coder-7B-v1.5": llama(4096, 32, 32, 11008),
    "Qwen2.5-Coder-0.5B": llama(896, 14, 2, 4864, family="qwen2"),
    "Qwen2.5-Coder-1.5B": llama(1536, 12, 2, 8960, family="qwen2"),
    "Qwen2.5-Coder-3B": llama(2048, 16, 2, 11008, family="qwen2"),
    "Qwen2.5-Coder-7B": llama(3584, 28, 4, 18944, family="qwen2", tie_word_embeddings=False),
    "Qwen2.5-Coder-14B": llama(5120, 40, 8, 13824, family="qwen2", tie_word_embeddings=False),
    "Qwen2.5-Coder-32B": llama(5120, 40, 8, 27648, family="qwen2", tie_word_embeddings=False),
    "WizardCoder-15B": tiny.config("gpt_bigcode", n_embd=6144, n_head=48, n_inner=24576, n_layer=1),
}


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
def test_logits_at_true_width_are_those_of_transformers(model: str, tmp_path: Path) -> None:
    theirs = tiny.model(MODELS[model], deviation=0.02)
    ids = np.random.default_rng(1).integers(0, tiny.VOCABULARY, (1, 48)).astype(np.int32)
    with torch.no_grad():
        expected = theirs(torch.tensor(ids, dtype=torch.long)).logits.numpy()
    directory = tiny.convert(theirs, tmp_path)
    del theirs
    gc.collect()
    np.testing.assert_allclose(tiny.load(directory)(Tensor(ids)).asnumpy(), expected, atol=1e-3)
