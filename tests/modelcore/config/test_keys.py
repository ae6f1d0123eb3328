"""A key's record says what its definition says: type, choices, bounds, default, flag."""

from __future__ import annotations

from modelcore.config.data import RowOptions
from modelcore.config.describe import describe, describe_all
from modelcore.config.evaluation import Score
from modelcore.config.keys import Bounds, Key, every_key, keys_of
from modelcore.config.runs import RUNS, Evaluate, Pipeline
from modelcore.config.section import Section
from modelcore.config.training import Train


def key(section: type[Section], name: str) -> Key:
    return next(key for key in keys_of(section) if key.name == name)


def test_bounds_of_a_number_that_may_be_left_out_are_found() -> None:
    assert key(Score, "workers").bounds == Bounds(lowest=1, highest=1024)
    assert key(Score, "workers").kind is int and key(Score, "workers").default is None
    assert key(Train, "learning_rate").bounds == Bounds(lowest=0, lowest_open=True)
    assert str(key(Train, "beta1").bounds) == "≥ 0, < 1"


def test_choices_of_a_key_that_may_be_left_out_are_found() -> None:
    assert key(Score, "require_isolation").choices == ("landlock", "user_namespaces", "namespaces")


def test_a_list_has_the_kind_and_bounds_of_its_items() -> None:
    k = key(Score, "k")
    assert (k.container, k.kind, k.bounds, k.default) == (list, int, Bounds(lowest=1, highest=1_000_000), [1])


def test_a_flag_is_the_keys_name_unless_it_has_one_of_its_own() -> None:
    assert key(RowOptions, "benchmarks").flag == "--against"
    assert key(RowOptions, "near_duplicates").flag == "--near-duplicates"


def test_required_keys_come_first() -> None:
    assert [key.name for key in keys_of(Pipeline)][:4] == ["download", "preprocess", "train", "generate"]


def test_every_key_of_every_kind_of_run_has_a_meaning() -> None:
    for schema in RUNS.values():
        for name, found in every_key(schema):
            assert found.description or issubclass(found.kind, Section), name


def test_a_section_has_one_name_in_every_kind_of_run() -> None:
    kinds: dict[str, set[type]] = {}
    for schema in RUNS.values():
        for found in keys_of(schema):
            if issubclass(found.kind, Section):
                kinds.setdefault(found.name, set()).add(found.kind)
    assert all(len(sections) == 1 for sections in kinds.values())


def test_one_kinds_table_holds_the_keys_inside_its_sections() -> None:
    table = describe(Evaluate)
    assert "| `score.timeout` | number > 0, ≤ 86400 | `3.0` | Seconds that an answer may take |" in table
    assert "| `generate` | section | `benchmark: humaneval` |" in table
    assert "`train" not in table


def test_the_whole_description_holds_every_key_once_for_each_place_it_has() -> None:
    text = describe_all(RUNS)
    for schema in RUNS.values():
        for name, _ in every_key(schema):
            assert f"| `{name}` |" in text
    assert text.count("| `train.steps` |") == 1
