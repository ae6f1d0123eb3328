"""The table of steps: what every step's texts promise, tried out step by step."""

from __future__ import annotations

from collections import Counter

import pytest

from modelcore.demo.probes import behaviours
from modelcore.demo.program import Program, compile_function
from modelcore.demo.steps import STEPS, Step

TYPES = {"int": int, "numbers": list, "text": str, "words": list, "bool": bool}


def alone(step: Step, constant: str) -> Program:
    return Program(((step, constant),), "run", ("x", "y") if step.takes == "pair" else ("x",))


def test_names_are_unique_and_every_type_is_reached():
    assert max(Counter(step.name for step in STEPS).values()) == 1
    assert {step.gives for step in STEPS} == set(TYPES)
    assert {step.takes for step in STEPS} == {"pair", "int", "numbers", "text", "words"}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_gives_what_it_says_for_every_probe(step):
    program = alone(step, step.constants[0] if step.constants else "")
    function = compile_function(program.source(), "run")
    assert step.takes in behaviours(function)
    example = {
        "pair": (3, 7),
        "int": (7,),
        "numbers": ([7, 2],),
        "text": ("red Tree",),
        "words": (["red", "Tree"],),
    }
    assert isinstance(function(*example[step.takes]), TYPES[step.gives])


@pytest.mark.parametrize("step", [step for step in STEPS if step.constants], ids=lambda step: step.name)
def test_every_constant_of_a_step_stands_in_its_sentence_and_in_its_code(step):
    for constant in step.constants:
        program = alone(step, constant)
        assert constant in program.sentence().replace(",", " ").replace(".", " ").split()
        assert constant in program.body()


def test_no_two_steps_of_a_type_say_or_do_the_same():
    for field in ("phrase", "code"):
        texts = Counter((step.takes, getattr(step, field)) for step in STEPS)
        assert [text for text, times in texts.items() if times > 1] == []
