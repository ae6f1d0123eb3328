"""On a server: the deployments of `mindrail deploy`, run by a real worker from the API and by a schedule."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from prefect.client.base import PrefectHttpxSyncClient

from flows.cli.main import command_line
from flows.demo import DEMO
from flows.service.deploying import deploy_all
from flows.service.deployments import deployments
from modelcore.config.reading import read_config
from modelcore.demo.config import Demo as DemoConfig
from modelcore.launching.leash import leash_command
from tests.flows.reduced_demo import REDUCED, Demo
from tests.paths import ROOT

pytestmark = pytest.mark.server

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@pytest.fixture(scope="module")
def api(server: None) -> Iterator[httpx.Client]:
    """The server's API with the deployments on it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MINDRAIL_HOME", str(ROOT))
        deployed = CliRunner().invoke(command_line, ["deploy"], catch_exceptions=False)
    assert f"{len(deployments())} deployments" in deployed.stdout
    # Prefect's own asks again while the server's SQLite is locked and answers 503
    with PrefectHttpxSyncClient(
        raise_on_all_errors=False, base_url=os.environ["PREFECT_API_URL"], timeout=30
    ) as client:
        yield client


@pytest.fixture(scope="module")
def worker(api: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker that waits for runs."""
    environment = os.environ | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "mindrail"]
    with (
        (tmp_path_factory.mktemp("worker") / "worker.log").open("wb") as log,
        subprocess.Popen(
            leash_command(command), cwd=ROOT, env=environment, stdout=log, stderr=log
        ) as running,
    ):
        yield
        running.terminate()


def test_the_dashboard_has_a_form_with_choices_bounds_and_explanations(api: httpx.Client):
    form = deployment(api, "demo/demo")["parameter_openapi_schema"]["properties"]
    assert form["layout"]["enum"] == ["data_parallel 2", "model_parallel 2"]
    assert form["seed"]["minimum"] == 0
    assert form["steps"]["description"]
    nested = deployment(api, "pipeline/pipeline")["parameter_openapi_schema"]["definitions"]
    assert nested["Train"]["properties"]["learning_rate"]["exclusiveMinimum"] == 0


def test_schedules_are_there_and_off_and_one_that_a_person_switches_stays_on(api: httpx.Client):
    names = [one.full_name for one in deployments() if one.cron]
    assert "pipeline/finetune_codellama_34b_16p" in names
    for name in names:
        (schedule,) = deployment(api, name)["schedules"]
        assert not schedule["active"]
    switched = deployment(api, names[0])
    address = f"/deployments/{switched['id']}/schedules/{switched['schedules'][0]['id']}"
    api.patch(address, json={"active": True}).raise_for_status()
    api.patch(f"/deployments/{switched['id']}", json={"description": "old"}).raise_for_status()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MINDRAIL_HOME", str(ROOT))
        assert deploy_all() == []  # no schedule is created
    assert deployment(api, names[0])["description"] == switched["description"]
    (schedule,) = deployment(api, names[0])["schedules"]
    assert schedule["active"] and schedule["id"] == switched["schedules"][0]["id"]
    api.patch(address, json={"active": False}).raise_for_status()
    assert not deployment(api, "pipeline/pipeline")["schedules"]


def test_a_wrong_parameter_is_refused_before_any_run(api: httpx.Client):
    identity = deployment(api, "demo/demo")["id"]
    refused = api.post(f"/deployments/{identity}/create_flow_run", json={"parameters": {"layout": "dp2"}})
    assert refused.status_code == 409
    assert "layout" in refused.text


@pytest.mark.ranks
def test_a_run_started_from_the_api_is_done_by_the_worker_and_shows_its_cached_steps(
    api: httpx.Client, worker: None, demo: Demo
):
    run = run_of(api, deployment(api, "pipeline/pipeline"), parameters(demo))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    tasks = api.post("/task_runs/filter", json={"flow_runs": {"id": {"any_": [run["id"]]}}}).json()
    assert {"download", "convert", "launch", "score"} <= {task["name"] for task in tasks}
    assert {task["state"]["name"] for task in tasks if task["name"] in ("convert", "launch")} == {"Cached"}
    shown = api.post("/artifacts/filter", json={"flow_runs": {"id": {"any_": [run["id"]]}}}).json()
    tables = {one["key"]: json.loads(one["data"]) for one in shown if one["type"] == "table"}
    assert [row["step"] for row in tables["steps"]][-1] == "score"
    assert {"score", "launch", "preprocess", "download"} <= {
        row["artifact"].partition("/")[0] for row in tables["lineage"]
    }
    assert "all 13 steps done" in [one["description"] for one in shown if one["type"] == "progress"]
    (score,) = (one for one in shown if one["key"] == "score")
    assert "data:image/svg+xml" in score["data"] and "95 %" in score["data"]
    filter = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}
    lines = [line["message"] for line in api.post("/logs/filter", json=filter).json()]
    assert "step 6 of 13: launch" not in lines and "step 5 of 13: launch" in lines


@pytest.mark.ranks
@pytest.mark.long
def test_an_evaluation_of_the_newest_checkpoint_is_done_by_the_worker(
    api: httpx.Client, worker: None, demo: Demo
):
    deployed = deployment(api, "evaluate/evaluate")
    assert deployed["parameters"]["config"]["checkpoints"] == ["newest"]
    config = {"store": str(demo.store), **evaluation(demo)}
    run = run_of(api, deployed, {"config": config})
    assert run["state"]["type"] == "COMPLETED", run["state"]
    shown = api.post("/artifacts/filter", json={"flow_runs": {"id": {"any_": [run["id"]]}}}).json()
    (table,) = (json.loads(artifact["data"]) for artifact in shown if artifact["key"] == "scores")
    assert table[0]["checkpoint"] == f"merge/{demo.path('merge').name}"


@pytest.mark.ranks
@pytest.mark.long
def test_a_schedule_that_is_switched_on_starts_a_run(api: httpx.Client, worker: None, demo: Demo):
    identity = deployment(api, "pipeline/pipeline")["id"]
    often = {"interval": 20, "anchor_date": datetime.now(timezone.utc).isoformat()}
    soon = {"schedule": often, "active": True, "parameters": parameters(demo)}
    (schedule,) = api.post(f"/deployments/{identity}/schedules", json=[soon]).raise_for_status().json()
    mine = {"deployments": {"id": {"any_": [identity]}}, "sort": "EXPECTED_START_TIME_ASC"}

    def scheduled() -> dict[str, Any]:
        runs = api.post("/flow_runs/filter", json=mine).json()
        return next((run for run in runs if run["auto_scheduled"]), {"state": {"type": "PENDING"}})

    run = ended(scheduled)
    assert run["state"]["type"] == "COMPLETED", run["state"]
    api.delete(f"/deployments/{identity}/schedules/{schedule['id']}").raise_for_status()


def deployment(api: httpx.Client, name: str) -> dict[str, Any]:
    return api.get(f"/deployments/name/{name}").raise_for_status().json()


def run_of(api: httpx.Client, deployed: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Start a run of the deployment as the dashboard's button does and return it when it has ended."""
    start = api.post(f"/deployments/{deployed['id']}/create_flow_run", json={"parameters": values})
    identity = start.raise_for_status().json()["id"]
    return ended(lambda: api.get(f"/flow_runs/{identity}").raise_for_status().json())


def evaluation(demo: Demo) -> dict[str, Any]:
    """Return the sections of the demo's own scoring, so that its responses are in the store."""
    config = parameters(demo)["config"]
    return {"generate": config["generate"], "score": config["score"]}


def parameters(demo: Demo) -> dict[str, Any]:
    config = read_config(DEMO, DemoConfig, [*REDUCED, f"store={demo.store}"])
    return {"config": config.pipeline(demo.path("first-programs")).model_dump(mode="json")}


def ended(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        run = look()
        if run["state"]["type"] in FINAL:
            return run
        time.sleep(0.5)
    raise AssertionError(f"the run did not end: {run['state']}")
