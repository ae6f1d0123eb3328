"""A person's clicks in a real browser start a run from the form, and its page shows what it did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from modelcore.store.store import Store
from tests.flows.service.dashboard import Dashboard, open_dashboard
from tests.flows.service.running import Service, wait_until

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service"), "user:secret")
    try:
        running.up()
        yield running
    finally:
        running.command("down")


@pytest.fixture
def dashboard(service: Service) -> Iterator[Dashboard]:
    with open_dashboard(f"http://127.0.0.1:{service.port}") as found:
        found.sign_in(service.auth)
        yield found


def test_clicks_start_a_run_from_the_form(service: Service, dashboard: Dashboard) -> None:
    store = service.directory / "store"
    dashboard.open_form(deployment(service, "first-programs/first-programs")["id"])
    values = {"Run Name": "By hand", "programs": "60", "problems": "4", "store": str(store)}
    for label, value in values.items():
        dashboard.fill(label, value)
    dashboard.submit()
    run = wait_until(lambda: run_named(service, "By hand"), 120)
    wait_until(lambda: service.state(run["id"]) in ("COMPLETED", "FAILED", "CRASHED"), 300)
    assert service.state(run["id"]) == "COMPLETED"
    dashboard.open_run(run["id"])
    dashboard.page.get_by_text("first-programs: built in").first.wait_for()
    built = [artifact.manifest.parameters for artifact in Store(store).artifacts()]
    assert [(one["programs"], one["problems"]) for one in built] == [(60, 4)]


def test_a_value_out_of_bounds_is_refused_on_the_form(service: Service, dashboard: Dashboard) -> None:
    dashboard.open_form(deployment(service, "demo/demo")["id"])
    dashboard.fill("Run Name", "Out of bounds")
    dashboard.fill("seed", "-1")
    dashboard.submit()
    dashboard.page.get_by_text("-1 is less than the minimum of 0").first.wait_for()
    assert "/run" in dashboard.page.url  # the form is still there
    assert run_named(service, "Out of bounds") is None


def deployment(service: Service, name: str) -> dict[str, Any]:
    with service.client as client:
        found: dict[str, Any] = client.get(f"/deployments/name/{name}").raise_for_status().json()
    return found


def run_named(service: Service, name: str) -> dict[str, Any] | None:
    with service.client as client:
        every = client.post("/flow_runs/filter", json={"sort": "START_TIME_DESC"}).json()
    return next((run for run in every if run["name"] == name), None)
