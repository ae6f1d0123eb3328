from __future__ import annotations

import pytest

from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut, Rule, partition_model, stage_layers


def test_layers_are_shared_out_evenly_or_by_offsets() -> None:
    assert stage_layers(8, 2) == (range(0, 4), range(4, 8))
    assert stage_layers(7, 2, [0, 1]) == (range(0, 3), range(3, 7))
    assert stage_layers(8, 2, [-1, 1]) == (range(0, 3), range(3, 8))


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ((), r"pipeline_stage: 7 layers do not divide into 2 stages; give offset, e\.g\. \[0, 1\]"),
        ((1, 1), r"offset: \[1, 1\] makes stages of \[4, 4\] layers; the model has 7, in 2 stages"),
        ((1,), r"offset: \[1\] makes stages of \[4\]"),
        ((-3, 4), r"makes stages of \[0, 7\]"),
    ],
)
def test_layers_that_do_not_divide_are_refused(offsets: tuple[int, ...], message: str) -> None:
    with pytest.raises(MindrailError, match=message):
        stage_layers(7, 2, offsets)


RULES = {
    "table": Rule(axis=0, place="ends", vocabulary=True),
    "layers.{}.w": Rule(axis=1, counts="heads"),
    "norm": Rule(place="last"),
}
SHAPES = {"table": (10, 4), "layers.0.w": (4, 8), "layers.1.w": (4, 8), "norm": (4,)}


def test_each_rank_holds_its_slices_of_its_stage() -> None:
    cut = partition_model(SHAPES, RULES, {"heads": 2}, Layout(2, 2, 2), num_layers=2)
    assert cut.boxes(1) == {"table": ((5, 10), (0, 4)), "layers.0.w": ((0, 4), (4, 8))}
    assert cut.shapes(6) == {"table": (5, 4), "layers.1.w": (4, 4), "norm": (4,)}
    assert cut.shapes(7) == cut.shapes(6), "a slice that does not start at 0 is as large"
    assert cut.boxes(0) == cut.boxes(2) and cut.boxes(0) != cut.boxes(4)
    assert not cut.notes
    assert cut.layers == (range(0, 1), range(1, 2))


def test_parameters_of_the_first_and_the_last_stage_are_in_one_stage() -> None:
    rules = {"embedding": Rule(place="first"), "norm": Rule(place="last"), "tied": Rule(place="ends")}
    shapes = {"embedding": (4,), "norm": (4,), "tied": (4,)}
    partition = partition_model(shapes, rules, {}, Layout(1, 1, 3), num_layers=3)
    stages = {name: placement.stages for name, placement in partition.placements.items()}
    assert stages == {"embedding": (0,), "norm": (2,), "tied": (0, 2)}
    alone = partition_model(shapes, rules, {}, Layout(), num_layers=3)
    assert {placement.stages for placement in alone.placements.values()} == {(0,)}


def test_only_the_first_number_in_a_name_is_the_layers() -> None:
    rules = {"layers.{}.experts.1.w": Rule(axis=0)}
    partition = partition_model({"layers.0.experts.1.w": (4,)}, rules, {}, Layout(1, 2), num_layers=1)
    assert partition.shapes(1) == {"layers.0.experts.1.w": (2,)}


def test_without_model_parallel_nothing_is_divided_or_noted() -> None:
    partition = partition_model(SHAPES, RULES, {"heads": 3}, Layout(2), num_layers=2, vocab_emb_dp=True)
    assert {placement.axis for placement in partition.placements.values()} == {None}
    assert partition.notes == ()


def test_a_cut_divides_nothing_unless_it_says_so() -> None:
    assert Cut(Layout()) == Cut(Layout(), vocab_emb_dp=False, offsets=(), shard_optimizer=False)


@pytest.mark.parametrize(
    ("model_parallel", "vocab_emb_dp", "reason"),
    [(4, False, "no multiple of model_parallel 4"), (2, True, "vocab_emb_dp")],
)
def test_a_vocabulary_is_kept_whole_with_a_note(model_parallel: int, vocab_emb_dp: bool, reason: str) -> None:
    layout = Layout(1, model_parallel, 1)
    cut = partition_model(SHAPES, RULES, {"heads": 4}, layout, num_layers=2, vocab_emb_dp=vocab_emb_dp)
    assert cut.shapes(1)["table"] == (10, 4)
    assert cut.notes == (f"table: 10 rows kept whole on every rank ({reason})",)


def test_heads_that_do_not_divide_are_refused_by_their_key() -> None:
    with pytest.raises(MindrailError, match=r"model_parallel: heads 2 of config\.json does not divide"):
        partition_model(SHAPES, RULES, {"heads": 2}, Layout(1, 4, 1), num_layers=2)


def test_a_parameter_without_a_rule_is_refused_by_name() -> None:
    with pytest.raises(
        MindrailError, match=r"layers\.0\.bias: the parameter is not in this family's partition table"
    ):
        partition_model({"layers.0.bias": (4,)}, RULES, {"heads": 2}, Layout(), num_layers=2)
