"""A transpose is numpy's, whatever the shape, the type and where in a file the matrix lies."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

from modelcore.errors import MindrailError
from modelcore.weights.dtypes import BF16, FP16, FP32, DType
from modelcore.weights.tensors import CHUNK, Extent, StoredTensor, from_array, read
from modelcore.weights.transpose import transposed

SHAPES = [(1, 1), (5, 3), (33, 1030), (600, 40), (1, 700), (700, 1), (256, 256), (257, 513), (1025, 129)]


def matrix(shape: tuple[int, int], dtype: DType) -> np.ndarray:
    bits = np.random.default_rng(0).bytes(int(np.prod(shape)) * dtype.size)
    return np.frombuffer(bits, dtype.array).reshape(shape)


def stored(path: Path, array: np.ndarray, dtype: DType, pieces: int) -> StoredTensor:
    """Write the array in so many pieces, each an odd number of bytes behind the one before."""
    data, extents, content = array.tobytes(), [], b""
    cuts = [array.size * at // pieces * dtype.size for at in range(pieces + 1)]
    for start, stop in pairwise(cuts):
        content += b"xxx"
        extents.append(Extent(path, len(content), stop - start))
        content += data[start:stop]
    path.write_bytes(content)
    return StoredTensor("a", dtype, array.shape, tuple(extents))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_transpose_is_numpys(shape: tuple[int, int]) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.testing.assert_array_equal(read(transposed(from_array(array))), array.T)


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("dtype", [FP16, BF16, FP32], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_is_transposed_bit_for_bit(
    tmp_path: Path, shape: tuple[int, int], dtype: DType, pieces: int
) -> None:
    array = matrix(shape, dtype)
    result = transposed(stored(tmp_path / "x", array, dtype, pieces))
    assert result.shape == shape[::-1] and result.dtype == dtype
    assert read(result).tobytes() == array.T.tobytes()


def test_it_comes_in_small_chunks(tmp_path: Path) -> None:
    chunks = transposed(stored(tmp_path / "x", matrix((1025, 513), FP32), FP32, 1)).chunks()
    assert max(chunk.nbytes for chunk in chunks) == CHUNK


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_file_that_ends_inside_the_matrix_is_named(tmp_path: Path, pieces: int) -> None:
    tensor = stored(tmp_path / "x", matrix((600, 40), FP16), FP16, pieces)
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-1])
    with pytest.raises(MindrailError, match="x: the file ends inside tensor a"):
        read(transposed(tensor))


def test_less_than_the_matrix_is_in_memory(tmp_path: Path) -> None:
    rows, columns = 40_000, 2_560
    size = 2 * rows * columns
    file = tmp_path / "x"
    file.touch()
    os.truncate(file, size)
    tensor = StoredTensor("a", FP16, (rows, columns), (Extent(file, 0, size),))
    before, most = psutil.Process().memory_info().rss, 0
    for number, _ in enumerate(transposed(tensor).chunks()):
        if number % 16 == 0:
            most = max(most, psutil.Process().memory_info().rss - before)
    assert most < 0.7 * size
