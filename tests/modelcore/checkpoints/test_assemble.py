from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcore.checkpoints import assemble as assembling
from modelcore.checkpoints.assemble import Piece, assemble
from modelcore.errors import MindrailError
from modelcore.parallel.box import Box, box_shape, whole_box
from modelcore.weights.dtypes import FP32, by_mindspore
from modelcore.weights.tensors import Extent, StoredTensor, read

INT64 = by_mindspore["Int64"]


def store(directory: Path, number: int, whole: np.ndarray, box: Box) -> Piece:
    """Write a box of `whole` as a file of its own, its bytes in two extents with a hole between."""
    content = np.ascontiguousarray(whole[tuple(slice(*one) for one in box)]).tobytes()
    path, half = directory / f"{number}.bin", len(content) // 16 * 8
    path.write_bytes(content[:half] + b"hole" + content[half:])
    extents = (Extent(path, 0, half), Extent(path, half + 4, len(content) - half))
    return Piece(box, StoredTensor("w", INT64, box_shape(box), extents))


def grid(shape: tuple[int, ...], cuts: list[list[int]]) -> list[Box]:
    boxes: list[Box] = [()]
    for size, inner in zip(shape, cuts, strict=True):
        edges = sorted({0, size, *(cut % size for cut in inner)})
        boxes = [(*box, edge) for box in boxes for edge in itertools.pairwise(edges)]
    return boxes


cuts = st.lists(st.lists(st.integers(0, 100), max_size=3), min_size=3, max_size=3)


@settings(max_examples=60)
@given(source=cuts, target=cuts, axes=st.integers(1, 3), block=st.sampled_from([8, 200, 1 << 20]))
def test_any_division_into_boxes_becomes_any_other(
    source: list[list[int]],
    target: list[list[int]],
    axes: int,
    block: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("pieces")
    shape = (6, 5, 4)[:axes]
    whole = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    pieces = [store(directory, i, whole, box) for i, box in enumerate(grid(shape, source[:axes]))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembling, "CHUNK", block)
        patch.setattr(assembling, "WINDOW", 2 * block)
        for box in grid(shape, target[:axes]):
            found = read(assemble("w", box, pieces))
            np.testing.assert_array_equal(found, whole[tuple(slice(*one) for one in box)])


def test_rows_are_taken_as_they_are_in_the_files(tmp_path: Path) -> None:
    whole = np.arange(24).reshape(8, 3)
    pieces = [store(tmp_path, i, whole, ((4 * i, 4 * i + 4), (0, 3))) for i in (1, 0)]
    found = assemble("w", ((2, 6), (0, 3)), pieces)
    assert isinstance(found, StoredTensor)
    np.testing.assert_array_equal(read(found), whole[2:6])


def test_a_scalar_and_copies_of_one_box_are_read_from_the_first(tmp_path: Path) -> None:
    pieces = [store(tmp_path, i, np.array(i), ()) for i in (3, 4)]
    assert read(assemble("step", (), pieces)) == 3
    pieces = [store(tmp_path, i, np.full(2, i), ((0, 2),)) for i in (5, 6)]
    assert read(assemble("w", ((1, 2),), pieces)).tolist() == [5]


def test_a_hole_is_refused_by_parameter_and_part(tmp_path: Path) -> None:
    whole = np.arange(24).reshape(8, 3)
    pieces = [store(tmp_path, 0, whole, ((0, 4), (0, 3)))]
    with pytest.raises(MindrailError, match=r"w: the files hold \[0:4, 0:3\] of \[2:6, 0:3\]; .*missing"):
        assemble("w", ((2, 6), (0, 3)), pieces)
    with pytest.raises(MindrailError, match=r"w: the files hold nothing of \[0:8, 0:3\]"):
        assemble("w", whole_box((8, 3)), [])


def test_pieces_of_another_shape_or_dtype_are_refused_by_file(tmp_path: Path) -> None:
    whole = np.arange(8)
    good = [store(tmp_path, i, whole, ((4 * i, 4 * i + 4),)) for i in (0, 1)]
    longer = Piece(((4, 9),), good[1].tensor)
    with pytest.raises(MindrailError, match=r"1\.bin: w: has the shape \[4\], its strategy says \[5\]"):
        assemble("w", ((0, 8),), [good[0], longer])
    other = StoredTensor("w", FP32, (4,), good[1].tensor.extents)
    with pytest.raises(MindrailError, match=r"1\.bin: w: is fp32, other slices are int64"):
        assemble("w", ((0, 8),), [good[0], Piece(good[1].box, other)])
