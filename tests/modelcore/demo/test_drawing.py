"""Training and held-out programs: distinct, all steps needed, and apart as the benchmark claims."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice, pairwise

import pytest

from modelcore.demo.drawing import KINDS, draw_held_out, draw_training, held_out_pairs
from modelcore.demo.leaks import Known
from modelcore.demo.probes import behaviours
from modelcore.demo.program import Program, compile_function
from modelcore.demo.rows import row
from modelcore.errors import MindrailError


@pytest.fixture(scope="module")
def pairs():
    return held_out_pairs(random.Random(1))


@pytest.fixture(scope="module")
def training(pairs):
    return draw_training(500, pairs, random.Random(2))


@pytest.fixture(scope="module")
def held_out(training, pairs):
    known = Known([row(program, random.Random(4)) for program in training])
    return list(islice(draw_held_out(40, training, known, pairs, random.Random(3)), 40))


def test_training_programs_differ_in_more_than_names(training):
    assert len({program.chain for program in training}) == 500


def test_no_training_program_has_a_held_out_pair(training, pairs):
    assert not any(set(pairwise(program.composition)) & pairs for program in training)


def test_the_two_kinds_are_what_they_say(training, held_out, pairs):
    compositions = {program.composition for program in training}
    chains = {program.chain for program in training}
    assert Counter(item.kind for item in held_out) == dict.fromkeys(KINDS, 20)
    for item in held_out:
        assert item.program.chain not in chains
        if item.kind == "new pair":
            assert set(pairwise(item.program.composition)) & pairs
        else:
            assert item.program.composition in compositions


def test_no_held_out_program_does_what_a_training_program_or_another_does(training, held_out):
    def digests(program: Program) -> set[tuple[str, str]]:
        return set(behaviours(compile_function(program.source(), program.name)).items())

    known = set().union(*map(digests, training))
    for item in held_out:
        assert known.isdisjoint(digests(item.program))
        known |= digests(item.program)


def test_leaving_a_step_out_changes_what_a_program_does(held_out):
    left_out = 0
    for program in (item.program for item in held_out):
        whole = behaviours(compile_function(program.source(), program.name), program.takes)
        for i, (step, _) in enumerate(program.chain):
            if step.takes == step.gives and len(program.chain) > 1:
                left_out += 1
                rest = Program(program.chain[:i] + program.chain[i + 1 :], program.name, program.parameters)
                assert behaviours(compile_function(rest.source(), rest.name), program.takes) != whole
    assert left_out >= len(held_out)


def test_asking_for_more_than_there_are_says_so(monkeypatch):
    monkeypatch.setattr("modelcore.demo.drawing._LENGTHS", (1,))
    monkeypatch.setattr("modelcore.demo.drawing._TRIES_PER_PROGRAM", 4)
    with pytest.raises(MindrailError, match=r"5000 distinct programs wanted, \d+ found; ask for fewer"):
        draw_training(5000, frozenset(), random.Random(1))
