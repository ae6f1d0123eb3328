"""A job's attempts on a cluster are a list in the report; a job on one host has none."""

from __future__ import annotations

from dataclasses import replace

from tests.modelcore.report.test_run_page import HOSTILE, TRAINING, run_page


def test_attempts_are_listed_in_order_and_escaped() -> None:
    html = run_page(training=replace(TRAINING, attempts=["attempt 1 starts", f"attempt 1 ended: {HOSTILE}"]))
    assert ">Attempts on the cluster</h2>" in html
    assert html.index("attempt 1 starts") < html.index("attempt 1 ended: &lt;/pre&gt;&lt;script&gt;")


def test_a_job_on_one_host_shows_none() -> None:
    assert "Attempts" not in run_page()
