"""The outer product is exact in float32, and to 16 bits where products round their factors to bf16."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORST_ERROR = """
import mindspore, numpy as np
from mindspore import Tensor, nn
from modelcore.models.outer import SMALL, outer

mindspore.set_context(mode=mindspore.GRAPH_MODE)

class Outer(nn.Cell):
    def construct(self, column, row):
        return outer(column, row)

draw = np.random.default_rng(0)
column, row = draw.uniform(0.5, 2, 300).astype(np.float32), draw.uniform(-2, -0.5, 300).astype(np.float32)
assert column.size * row.size > SMALL
expected = np.outer(column.astype(np.float64), row.astype(np.float64))
found = Outer()(Tensor(column), Tensor(row)).asnumpy()
print(np.abs(found / expected - 1).max())
"""


@pytest.mark.parametrize(("mode", "most"), [("STRICT", 2**-22), ("BF16", 2**-15)])
def test_it_keeps_its_bits_in_every_precision_mode(tmp_path: Path, mode: str, most: float):
    program = tmp_path / "worst_error.py"
    program.write_text(WORST_ERROR)  # graphs are compiled from the text of a file
    done = subprocess.run(
        [sys.executable, program],
        env=os.environ | {"ONEDNN_DEFAULT_FPMATH_MODE": mode, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout.split()[-1]) < most
