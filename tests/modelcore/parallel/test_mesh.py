from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Coordinates, Layout, Mesh

sizes = st.integers(1, 5)
layouts = st.builds(Layout, data_parallel=sizes, model_parallel=sizes, pipeline_stage=sizes)


@given(layouts)
def test_every_rank_has_coordinates_of_its_own(layout: Layout) -> None:
    mesh = Mesh(layout)
    coordinates = {mesh.coordinates(rank) for rank in mesh.ranks}
    assert len(coordinates) == layout.world_size
    assert [mesh.rank(mesh.coordinates(rank)) for rank in mesh.ranks] == list(mesh.ranks)


@given(layouts)
def test_the_groups_of_an_axis_divide_the_world(layout: Layout) -> None:
    mesh = Mesh(layout)
    for group_of in (mesh.tensor_group, mesh.data_group, mesh.pipeline_group):
        groups = {tuple(group_of(rank)) for rank in mesh.ranks}
        assert sorted(rank for group in groups for rank in group) == list(mesh.ranks)
        assert all(rank in group_of(rank) for rank in mesh.ranks)


def test_ranks_are_counted_as_mindformers_counts_them() -> None:
    mesh = Mesh(Layout(data_parallel=2, model_parallel=4, pipeline_stage=2))
    assert mesh.coordinates(5) == Coordinates(stage=0, data=1, tensor=1)
    assert mesh.coordinates(8) == Coordinates(stage=1, data=0, tensor=0)
    assert mesh.tensor_group(5) == [4, 5, 6, 7]
    assert mesh.data_group(5) == [1, 5]
    assert mesh.pipeline_group(5) == [5, 13]


def test_a_world_of_another_size_is_refused_naming_the_factors() -> None:
    with pytest.raises(MindrailError, match=r"dp2 mp4 pp1 takes 8 ranks, 6 are started"):
        Layout(data_parallel=2, model_parallel=4).check_world_size(6)


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "2"])
def test_a_size_that_is_no_positive_whole_number_is_refused_by_its_key(size: object) -> None:
    with pytest.raises(MindrailError, match="model_parallel"):
        Layout(model_parallel=size)  # type: ignore[arg-type]


def test_a_rank_outside_the_world_is_refused() -> None:
    with pytest.raises(MindrailError, match=r"rank 2 is not in 0\.\.1"):
        Mesh(Layout(data_parallel=2)).coordinates(2)
    with pytest.raises(MindrailError, match=r"rank -1 is not in 0\.\.1"):
        Mesh(Layout(data_parallel=2)).coordinates(-1)


@pytest.mark.parametrize("outside", [(2, 0, 0), (0, 3, 0), (0, 0, 4), (-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_coordinates_outside_the_layout_are_refused(outside: tuple[int, int, int]) -> None:
    mesh = Mesh(Layout(data_parallel=3, model_parallel=4, pipeline_stage=2))
    assert mesh.rank(Coordinates(1, 2, 3)) == 23
    with pytest.raises(MindrailError, match="outside dp3 mp4 pp2"):
        mesh.rank(Coordinates(*outside))


def test_a_layout_is_one_rank_unless_it_says_more() -> None:
    assert (Layout(), Layout().world_size) == (Layout(1, 1, 1), 1)
    assert str(Layout(2, pipeline_stage=3)) == "dp2 mp1 pp3"
    Layout(2, 1, 3).check_world_size(6)
