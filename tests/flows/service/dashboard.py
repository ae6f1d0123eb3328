"""What a person does on the dashboard, in a headless Chromium: opens pages, fills in forms, clicks."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Dashboard", "open_dashboard"]

_PATIENCE = 180_000.0  # milliseconds; the machine may be busy
_WIDTH, _HEIGHT = 1280, 900


@dataclass
class Dashboard:
    """A browser's window on a server.

    Attributes:
        address: of the server, without /api.
        page: Playwright's.
    """

    address: str
    page: Any

    def open_deployments(self) -> None:
        """Show the list of deployments."""
        self.page.goto(f"{self.address}/deployments")
        self.page.get_by_text("deployments").first.wait_for()

    def open_form(self, identity: str) -> None:
        """Click from a deployment's page to the form of a run."""
        self.page.goto(f"{self.address}/deployments/deployment/{identity}")
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_text("Custom run").first.click()
        self.page.get_by_role("button", name="Submit").wait_for()

    def fill(self, label: str, value: str) -> None:
        """Type into the field with a label."""
        named = f'//label[starts-with(normalize-space(.), "{label}")]'
        self.page.locator(f"xpath={named}/following::*[self::input or self::textarea][1]").fill(value)

    def submit(self) -> None:
        """Press the form's button."""
        self.page.get_by_role("button", name="Submit").click()

    def sign_in(self, password: str) -> None:
        """Answer the question for the password, `user:password`."""
        self.page.goto(f"{self.address}/runs")
        self.page.locator("input[type=password]").fill(password)
        self.page.keyboard.press("Enter")
        self.page.get_by_text("Deployments", exact=True).first.wait_for()

    def open_run(self, identity: str, tab: str = "Logs") -> None:
        """Show a run's page with one of its tabs."""
        self.page.goto(f"{self.address}/runs/flow-run/{identity}")
        self.page.get_by_text("Task Runs", exact=True).wait_for()
        self.page.get_by_text(tab, exact=True).last.click()

    def save(self, file: Path, *, width: int = _WIDTH, height: int = _HEIGHT, settle: float = 4.0) -> None:
        """Write a picture of the window once its plots have been drawn."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_timeout(settle * 1000)
        self.page.screenshot(path=str(file))


@contextlib.contextmanager
def open_dashboard(address: str) -> Iterator[Dashboard]:
    """Yield a window on a server; skip the test where there is no browser."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no Playwright: pip install 'mindrail[browser]'"
    )
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        # A container's root cannot use Chromium's sandbox; it shows pages of this machine only.
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.set_default_timeout(_PATIENCE)
        yield Dashboard(address, page)
        browser.close()
