"""Pictures of dashboard and report for the docs: `make screenshots` writes them into docs/images.

Starts a service of its own in a temporary directory, lets its worker do the demo, and looks at it with
Chromium. `--reduced` takes the tests' small demo, which solves nothing but is there sooner. `--keep PATH`
uses that directory, and the run that is there.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.demo import DEMO
from modelcore.config.reading import read_config
from modelcore.demo.config import Demo
from tests.flows.reduced_demo import REDUCED
from tests.flows.service.dashboard import Dashboard, open_dashboard
from tests.flows.service.running import Service, wait_until
from tests.paths import ROOT

IMAGES = ROOT / "docs" / "images"
PATIENCE = 3600.0  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--reduced", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        service = Service(given.keep or Path(temporary))
        try:
            service.up()
            with open_dashboard(f"http://127.0.0.1:{service.port}") as dashboard:
                take(service, dashboard, given.images, REDUCED if given.reduced else ())
        finally:
            service.command("down")


def take(service: Service, dashboard: Dashboard, images: Path, overrides: Sequence[str]) -> None:
    """Write every picture."""
    dashboard.open_deployments()
    dashboard.save(images / "deployments.png")
    dashboard.open_form(deployed(service, "finetune/finetune")["id"])
    dashboard.save(images / "form.png", height=1000)
    run = newest(service) or start(service, overrides)
    if service.state(run) != "COMPLETED":
        wait_until(lambda: training(service, run), PATIENCE)
        dashboard.open_run(run, "Artifacts")
        dashboard.save(images / "training.png", settle=20)
        wait_until(lambda: service.state(run) in ("COMPLETED", "FAILED"), PATIENCE)
    dashboard.open_run(run, "Artifacts")
    dashboard.save(images / "run.png", height=1400)
    shown = {one["key"]: one for one in artifacts(service, run)}
    dashboard.page.goto(f"{dashboard.address}/artifacts/artifact/{shown['score']['id']}")
    dashboard.save(images / "score.png", height=1300)
    (report,) = sorted((service.directory / "store" / "runs").glob("*-demo/report.html"))[-1:]
    dashboard.page.goto(f"http://127.0.0.1:{service.port + 1}/runs/{report.parent.name}/{report.name}")
    dashboard.save(images / "report.png", width=1000, height=1100)
    dashboard.save(images / "report-narrow.png", width=400, height=1100)


def start(service: Service, overrides: Sequence[str]) -> str:
    store = service.directory / "store"
    config = read_config(DEMO, Demo, [*overrides, "name=demo", f"store={store}"]).model_dump(mode="json")
    address = f"/deployments/{deployed(service, 'demo-from-config/demo')['id']}/create_flow_run"
    with service.client as client:
        started = client.post(address, json={"parameters": {"config": config}}).raise_for_status()
    return str(started.json()["id"])


def newest(service: Service) -> str | None:
    """Return the newest run of the demo, None if there is none."""
    with service.client as client:
        every = client.post("/flow_runs/filter", json={"sort": "START_TIME_DESC"}).json()
    return next((str(run["id"]) for run in every if run["name"] == "demo"), None)


def training(service: Service, run: str) -> bool:
    over = service.state(run) in ("COMPLETED", "FAILED", "CRASHED")
    return over or any(one["key"] == "loss" for one in artifacts(service, run))


def artifacts(service: Service, run: str) -> list[dict[str, Any]]:
    with service.client as client:
        found: list[dict[str, Any]] = client.post(
            "/artifacts/filter", json={"flow_runs": {"id": {"any_": [run]}}}
        ).json()
    return found


def deployed(service: Service, name: str) -> dict[str, Any]:
    with service.client as client:
        found: dict[str, Any] = client.get(f"/deployments/name/{name}").raise_for_status().json()
    return found


if __name__ == "__main__":
    main()
