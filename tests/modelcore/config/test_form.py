"""What a form on the dashboard shows of a configuration."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import validate

from modelcore.config.runs import RUNS, Pipeline, Run
from modelcore.config.section import Section
from modelcore.demo.config import Demo

SCHEMAS: dict[str, type[Run]] = {**RUNS, "demo": Demo}


def sections(kind: str) -> dict[str, dict[str, Any]]:
    schema = SCHEMAS[kind].model_json_schema()
    return {kind: schema, **schema["$defs"]}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_has_its_name_and_a_description(kind: str) -> None:
    for section in sections(kind).values():
        for name, shown in section.get("properties", {}).items():
            assert shown["title"] == name
            assert shown.get("description"), f"{section['title']}.{name}"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_key_without_a_value_is_empty_and_not_a_choice_of_none(kind: str) -> None:
    for section in sections(kind).values():
        for name, shown in section.get("properties", {}).items():
            if any("$ref" in choice for choice in shown.get("anyOf", [])):
                continue  # a section that may be left out is a choice: with its required keys, or none
            assert {"type": "null"} not in shown.get("anyOf", []), f"{section['title']}.{name}"
            assert shown.get("default", "") is not None


@pytest.mark.parametrize("kind", SCHEMAS)
def test_null_is_accepted_for_a_key_without_a_value(kind: str) -> None:
    """A configuration written out in full has null for it, and Prefect checks it against the form."""
    schema = SCHEMAS[kind].model_json_schema()
    plain = {"properties": schema["properties"], "definitions": schema["$defs"], "type": "object"}
    text = json.dumps(plain).replace("#/$defs/", "#/definitions/")
    optional = {
        name: {key: None for key, info in section.model_fields.items() if info.default is None}
        for name, section in ((name, info.annotation) for name, info in SCHEMAS[kind].model_fields.items())
        if isinstance(section, type) and issubclass(section, Section)
    }
    errors = validate(optional, json.loads(text), ignore_required=True)
    assert [error.message for error in errors] == []


def test_lists_show_their_default_and_bounds_stay() -> None:
    score = sections("pipeline")["Score"]["properties"]
    assert score["k"]["default"] == [1] and score["k"]["minItems"] == 1
    assert score["workers"]["minimum"] == 1


def test_what_a_person_turns_first_is_at_the_top() -> None:
    shown = sections("pipeline")
    assert list(shown["pipeline"]["properties"])[:4] == ["name", "download", "preprocess", "train"]
    assert list(shown["Train"]["properties"])[:2] == ["steps", "epochs"]
    assert set(shown["pipeline"]["properties"]) == set(Pipeline.model_fields)
