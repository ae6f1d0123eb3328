"""The tensors of a weights file as arrays, for tests to compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelcore.weights.casting import cast
from modelcore.weights.checkpoint import open_file
from modelcore.weights.dtypes import FP32
from modelcore.weights.tensors import read


def read_tensors(file: Path) -> dict[str, NDArray[np.float32]]:
    """Return every tensor of a file of weights or states, whole, as float32."""
    return {name: read(cast(tensor, FP32)) for name, tensor in open_file(file).items()}
