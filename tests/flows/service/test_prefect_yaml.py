"""prefect.yaml has a deployment for every shipped YAML and every flow, and no schedule to reset."""

from __future__ import annotations

import importlib

import pytest
import yaml
from click.testing import CliRunner
from prefect import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.callables import parameter_schema

from flows.cli.main import command_line
from flows.service.deployments import Deployment, deployments, prefect_yaml
from modelcore.config.reading import read_yaml
from modelcore.errors import MindrailError, StepFailed
from modelcore.models.shipped import model_names
from tests.paths import ROOT

EVERY = deployments()
MODULES = {path.stem for path in (ROOT / "flows").glob("*.py")} - {"__init__", "kinds", "deployments"}


def flow_of(deployment: Deployment) -> Flow[..., object]:
    module, _, name = deployment.entrypoint.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Flow)
    return found


def test_the_file_is_what_is_printed() -> None:
    assert (ROOT / "prefect.yaml").read_text() == prefect_yaml(), "run: make docs"


def test_schedules_are_left_to_the_server() -> None:
    plain = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    assert all("schedules" not in one and "schedule" not in one for one in plain["deployments"])


@pytest.mark.parametrize("deployment", EVERY, ids=lambda one: one.full_name)
def test_a_deployment_is_of_a_flow_that_accepts_its_parameters(deployment: Deployment) -> None:
    flow = flow_of(deployment)
    assert flow.name == deployment.flow
    if deployment.parameters:
        flow.validate_parameters(dict(deployment.parameters))


def test_every_shipped_yaml_is_deployed_with_what_it_says() -> None:
    filled = {one.name: one.parameters["config"] for one in EVERY if one.parameters}
    assert filled == {path.stem: read_yaml(path) for path in (ROOT / "configs").glob("*.yaml")}


def test_every_flow_is_deployed() -> None:
    flows = {
        found.name
        for module in MODULES
        for found in vars(importlib.import_module(f"flows.{module}")).values()
        if isinstance(found, Flow)
    }
    assert flows == {one.flow for one in EVERY}


def test_only_what_needs_no_form_has_a_schedule() -> None:
    for one in EVERY:
        required = parameter_schema(flow_of(one).fn).model_dump().get("required") or []
        assert not one.cron or set(required) <= set(one.parameters), one.full_name
    assert {one.name for one in EVERY if one.cron} == {
        path.stem for path in (ROOT / "configs").glob("*.yaml") if not path.stem.startswith("predict")
    }


def test_known_names_are_choices_of_the_form_and_other_texts_are_accepted() -> None:
    (pipeline,) = [one for one in EVERY if one.full_name == "pipeline/pipeline"]
    form = parameter_schema(flow_of(pipeline).fn).definitions
    source, benchmark = form["Download"]["properties"]["source"], form["Generate"]["properties"]["benchmark"]
    assert [one.get("enum") for one in source["anyOf"]] == [None, model_names()]
    assert [one.get("enum") for one in benchmark["anyOf"]] == [None, ["humaneval", "mbpp"]]
    assert "wizardcoder" in form["Generate"]["properties"]["template"]["enum"]


def test_without_a_server_the_command_says_what_to_do() -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        refused = CliRunner().invoke(command_line, ["deploy"]).exception
    assert isinstance(refused, MindrailError)
    assert str(refused).startswith("PREFECT_API_URL: no Prefect server is configured; start one with")


def test_a_server_that_does_not_answer_is_one_line() -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        failed = CliRunner().invoke(command_line, ["deploy"]).exception
    assert isinstance(failed, StepFailed)
    assert str(failed).startswith("http://127.0.0.1:9/api: no answer from the Prefect server")
