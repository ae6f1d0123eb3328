"""Random weights for a config.json of any family: what pretraining starts from.

Matrices are normal with deviation 0.02, those that add to the residual stream smaller by sqrt(2 layers)
(Radford et al. 2019); norms are one, biases zero. One tensor is in memory at a time. The same seed gives the
same bytes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelcore.checkpoints.companions import write_companions
from modelcore.models.families import read_model
from modelcore.models.model import Model
from modelcore.progress import Progress, silent
from modelcore.weights.checkpoint import open_checkpoint
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import FP32
from modelcore.weights.file_layout import TensorSpec

__all__ = ["write_random_weights"]

_DEVIATION = 0.02


def write_random_weights(
    description: Path, destination: Path, *, seed: int, progress: Progress = silent
) -> None:
    """Write `destination`/model.ckpt, float32, with MindSpore's names, and the files that belong to it.

    Args:
        description: directory of config.json and tokenizer files.
        destination: an existing directory.
        seed: of the weights.
        progress: bytes written.

    Raises:
        MindrailError: there is no config.json, or it is of no family known here.
    """
    model = read_model(description)
    shapes = model.config.parameter_shapes()
    layout = ckpt_layout([TensorSpec(name, FP32, shape) for name, shape in shapes.items()])
    with (destination / "model.ckpt").open("wb") as stream:
        for offset, header in layout.headers:
            stream.seek(offset)
            stream.write(header)
        for number, (name, places) in enumerate(layout.places.items()):
            drawn = _draw(model, name, shapes[name], seed, number)
            content: Any = drawn.reshape(-1).view(np.uint8)
            start = 0
            for place in places:
                stream.seek(place.offset)
                stream.write(content[start : start + place.length])
                start += place.length
            progress(stream.tell(), layout.size, "bytes")
    write_companions(description, destination, open_checkpoint(destination).tensors.values())


def _draw(model: Model, name: str, shape: tuple[int, ...], seed: int, number: int) -> NDArray[np.float32]:
    if len(shape) == 1:
        return np.full(shape, 1 if name.endswith(model.family.scales) else 0, np.float32)
    deviation = _DEVIATION
    if name.endswith(model.family.to_residual):
        deviation /= math.sqrt(2 * model.config.num_layers)
    draw = np.random.Generator(np.random.Philox(key=[seed, number]))
    return draw.standard_normal(shape, np.float32) * np.float32(deviation)
