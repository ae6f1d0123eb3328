"""`mindrail notify`: the server posts to a real receiver when runs fail or finish, and on a best score."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from modelcore.evaluation.history import Run
from tasks import best_score, reporter
from tasks.best_score import report_best_score
from tasks.reporter import Reporter

SECRET = "planted-9f1c"


class Receiver:
    """A webhook on this machine: keeps the texts that were posted to it."""

    def __init__(self) -> None:
        self.texts: queue.Queue[str] = queue.Queue()
        texts = self.texts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                texts.put(json.loads(body)["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def wait_for(self, part: str) -> str:
        """Return the next text with something in it; those of earlier tests' runs may come before."""
        while part not in (text := self.texts.get(timeout=120)):
            continue
        return text

    def rest(self) -> list[str]:
        """Return the texts that nobody waited for."""
        return [self.texts.get() for _ in range(self.texts.qsize())]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{SECRET}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.http.shutdown()


def api(method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(method, f"{os.environ['PREFECT_API_URL']}/{path}", json=body, timeout=60)
    return answer.raise_for_status().json() if answer.content else None


def ended_run(name: str, kind: str, message: str) -> str:
    """Let a run of one of our deployments be over, as the server sees it; return its id."""
    flow = api("POST", "flows/", {"name": "notified"})
    state = {"type": "RUNNING"}
    run = api(
        "POST", "flow_runs/", {"flow_id": flow["id"], "name": name, "tags": ["mindrail"], "state": state}
    )
    end = {"state": {"type": kind, "message": message}, "force": True}
    api("POST", f"flow_runs/{run['id']}/set_state", end)
    return str(run["id"])


def automations() -> list[dict[str, Any]]:
    found = api("POST", "automations/filter", {})
    return [one for one in found if one["name"].startswith("mindrail: webhook")]


@pytest.mark.server
def test_failed_and_finished_runs_and_best_scores_are_sent_once_each(
    server: None, receiver: Receiver
) -> None:
    arguments = ["notify", "--webhook", receiver.url, "--json"]
    first = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
    again = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
    try:
        assert len(json.loads(first.stdout)["created"]) == 3
        assert json.loads(again.stdout)["created"] == []
        failed = ended_run("tuning", "FAILED", "train.steps: too few")
        text = receiver.wait_for(failed)
        assert text.startswith("mindrail: tuning (notified) failed\ntrain.steps: too few")
        finished = ended_run("tuning again", "COMPLETED", "")
        assert receiver.wait_for(finished).startswith("mindrail: tuning again (notified) finished")
        running = Reporter(UUID(finished))
        running.add_event(
            best_score.BEST_SCORE, "mindrail.score.1", {"benchmark": "humaneval", "text": "0.5"}
        )
        running.close(60)
        best = "mindrail: new best score on humaneval\n0.5"
        assert receiver.wait_for(best) == best
        assert not any(run in text for text in receiver.rest() for run in (failed, finished, best))
        (block,) = [
            one
            for one in api("POST", "block_documents/filter", {"include_secrets": False})
            if one["name"] == "mindrail-webhook"
        ]
        assert SECRET not in json.dumps([automations(), block])
    finally:
        for one in automations():
            api("DELETE", f"automations/{one['id']}")


def test_mails_need_a_key_and_something_must_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY", raising=False)
    no_key = CliRunner().invoke(command_line, ["notify", "--email", "a@example.org"]).exception
    nothing = CliRunner().invoke(command_line, ["notify"]).exception
    assert isinstance(no_key, MindrailError) and "SENDGRID_API_KEY" in str(no_key)
    assert isinstance(nothing, MindrailError) and "--webhook" in str(nothing)


def scored(value: float) -> Run:
    score = {"1": (value, value - 0.1, value + 0.1)}
    return Run(f"id{value}", "tuned", "2026", "merge/1", "humaneval", "d", score, "score.json")


@pytest.mark.parametrize(
    ("value", "earlier", "reported"),
    [(0.5, [0.3, 0.4], True), (0.4, [0.4], False), (0.1, [0.3], False), (0.5, [], False)],
)
def test_a_best_score_is_above_every_earlier_one(
    value: float, earlier: list[float], reported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(best_score, "log", lines.append)
    assert reporter.current_reporter() is None
    report_best_score(scored(value), [scored(one) for one in earlier])
    assert bool(lines) is reported
    if reported:
        assert lines == ["best score so far: tuned: pass@1 0.500 (0.400 to 0.600) on humaneval, 0.400 before"]
