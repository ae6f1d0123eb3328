"""Everything that a run reports to Prefect's server while it works, sent by one background thread.

The work never waits for the server and never fails because of it: log lines and artifacts are queued, sent
when the server answers, and caught up after an outage. The same thread follows the run's own state, so that a
run that was cancelled ends its process, and with it all its ranks, even if no worker is there to kill it.
Prefect's own report of the run's end is not sent here; `Reporter.close` waits until the server answers.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext, TaskRunContext
from prefect.events.schemas.events import Event, RelatedResource, Resource
from prefect.logging.handlers import set_api_log_sink
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelled, Running

from modelcore.errors import MindrailError
from tasks.log import stderr
from tasks.run_log import adapt_loggers

__all__ = ["RUN_AGAIN", "Reporter", "ShownArtifact", "current_reporter", "reporting"]

RUN_AGAIN = "mindrail runs a crashed run once more"
"""The message of the state that the automation of `mindrail up` gives a crashed run."""

_RUNS_CHECKED = 3  # a run is started once, then once more
_INTERVAL = 2.0  # seconds between two rounds
_POLL_EVERY = 5.0  # seconds between two looks at the run's state
_REQUEST_TIMEOUT = 10.0
_KEPT_LINES = 20_000  # log lines kept while the server is away
_KEPT_EVENTS = 1000
_LINES_PER_REQUEST = 200
_WAIT_AT_END = 600.0  # seconds that a finished run waits for a server that is away
_WAIT_AT_INTERRUPT = 5.0
_OWN_SERVER = "MINDRAIL_TEMPORARY_SERVER"  # set by flows.cli.temporary_server: it has no dashboard
_RETRIED = {401, 403, 408, 425, 429}  # refused now, perhaps accepted later; other 4xx never will be

_current: Reporter | None = None


@contextlib.contextmanager
def reporting() -> Iterator[None]:
    """Report the flow run that this is part of while the block runs; do nothing where nobody watches."""
    global _current
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or _OWN_SERVER in os.environ:
        yield
        return
    adapt_loggers()
    _check_reruns(context.flow_run)
    reporter = _current = Reporter(context.flow_run.id)
    set_api_log_sink(reporter.add_line)
    wait = _WAIT_AT_INTERRUPT
    try:
        yield
        wait = _WAIT_AT_END
    except Exception:
        wait = _WAIT_AT_END
        raise
    finally:
        reporter.close(wait)
        set_api_log_sink(None)
        _current = None


def _check_reruns(run: FlowRun) -> None:
    """Refuse to run a crashed run for the third time: what ends its process twice will do so again.

    Raises:
        MindrailError: it was run again before.
    """
    if (run.run_count or 0) < _RUNS_CHECKED:
        return
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(run.id)
    scheduled = [state for state in states if state.type == StateType.SCHEDULED]
    newest = max(scheduled, key=lambda state: state.timestamp, default=None)
    by_itself = newest is not None and newest.message == RUN_AGAIN  # not by a person's Retry
    if by_itself and sum(state.message == RUN_AGAIN for state in scheduled) > 1:
        raise MindrailError(
            "the run crashed twice and is not run again", fix="see why in its log, then press Retry"
        )


def current_reporter() -> Reporter | None:
    """Return the reporter of the flow run that this process works on; None if nobody watches."""
    return _current


class Reporter:
    """The thread that sends what one flow run reports.

    Args:
        flow_run: id of the run on the server.
    """

    def __init__(self, flow_run: UUID) -> None:
        self.flow_run = flow_run
        self._lines: deque[dict[str, Any]] = deque(maxlen=_KEPT_LINES)
        self._events: deque[dict[str, Any]] = deque(maxlen=_KEPT_EVENTS)
        self._changed: dict[ShownArtifact, None] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._abandoned = False
        self._polled = float("-inf")
        self._cancelling = False
        context = contextvars.copy_context()  # has the settings: which server, which password
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="reporter", daemon=True)
        self._thread.start()

    def add_line(self, line: dict[str, Any]) -> None:
        """Queue a line of the run's log, as Prefect's handler prepares it."""
        self._lines.append({key: value for key, value in line.items() if not key.startswith("__")})

    def add_event(self, name: str, resource: str, payload: dict[str, Any]) -> None:
        """Queue an event of this run, which automations of the server can react to."""
        run = {
            "prefect.resource.id": f"prefect.flow-run.{self.flow_run}",
            "prefect.resource.role": "flow-run",
        }
        event = Event(
            event=name,
            resource=Resource.model_validate({"prefect.resource.id": resource}),
            related=[RelatedResource.model_validate(run)],
            payload=payload,
        )
        self._events.append(event.model_dump(mode="json"))

    def change(self, artifact: ShownArtifact) -> None:
        """Queue the newest content of an artifact."""
        with self._lock:
            self._changed[artifact] = None

    def close(self, timeout: float) -> None:
        """Send what is queued and end the thread; wait at most `timeout` seconds for a server that is away.

        Afterwards the server has answered just now, so that Prefect can report the run's end.
        """
        self._closing.set()
        self._wake.set()
        self._thread.join(min(timeout, _REQUEST_TIMEOUT))
        if self._thread.is_alive() and timeout > _REQUEST_TIMEOUT:
            stderr.print(f"the Prefect server does not answer: waiting up to {timeout:.0f} s for it")
            self._thread.join(timeout - _REQUEST_TIMEOUT)
        self._abandoned = True

    def _run(self) -> None:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # the next round tries again
            client = get_client(httpx_settings={"timeout": _REQUEST_TIMEOUT}, sync_client=True)
            while not self._abandoned:
                self._wake.wait(_INTERVAL)
                last = self._closing.is_set()
                if self._round(client, last=last) and last:
                    return
                if last:
                    time.sleep(_INTERVAL)

    def _round(self, client: SyncPrefectClient, *, last: bool) -> bool:
        """Send what is queued and follow the run's state; return whether the server answered it all."""
        try:
            self._send_lines(client)
            self._send_artifacts(client)
            self._send_events(client)
            if last or time.monotonic() - self._polled >= _POLL_EVERY:
                self._polled = time.monotonic()
                self._follow(client, client.read_flow_run(self.flow_run).state, last=last)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return True

    def _send_lines(self, client: SyncPrefectClient) -> None:
        while self._lines:
            batch = [self._lines[index] for index in range(min(len(self._lines), _LINES_PER_REQUEST))]
            with _unless_refused():
                client.create_logs(batch)
            for line in batch:
                if self._lines and self._lines[0] is line:  # not pushed out by newer ones meanwhile
                    self._lines.popleft()

    def _send_artifacts(self, client: SyncPrefectClient) -> None:
        for artifact in list(self._changed):
            with self._lock:
                del self._changed[artifact]
            try:
                with _unless_refused():
                    artifact.send(client)
            except httpx.HTTPError:
                self.change(artifact)
                raise

    def _send_events(self, client: SyncPrefectClient) -> None:
        while self._events:
            with _unless_refused():
                client.request("POST", "/events", json=[self._events[0]])
            self._events.popleft()

    def _follow(self, client: SyncPrefectClient, state: State[Any] | None, *, last: bool) -> None:
        """Do what the run's state on the server asks for; a worker that cancels has some seconds for it."""
        kind = None if state is None else state.type
        if kind == StateType.CANCELLING and not (self._cancelling or last):
            self._cancelling = True
        elif kind == StateType.CANCELLING:
            client.set_flow_run_state(
                self.flow_run, Cancelled(message="stopped by the run itself"), force=True
            )
            _end_process("the run was cancelled")
        elif kind == StateType.CANCELLED:
            _end_process("the run was cancelled")
        elif kind in (StateType.SCHEDULED, StateType.PENDING):
            _end_process("the run was started again elsewhere")
        elif kind == StateType.CRASHED:  # the server missed our heartbeats
            client.set_flow_run_state(self.flow_run, Running(message="the process is alive"), force=True)


class ShownArtifact:
    """An artifact on the page of the run that creates it; shown again, its content is replaced.

    Args:
        reporter: sends it.
        kind: Prefect's: `progress`, `markdown`, `table` or `image`.
        key: the artifact's key, which groups its versions over runs; None for none.
    """

    def __init__(self, reporter: Reporter, kind: str, key: str | None = None) -> None:
        task = TaskRunContext.get()
        self._reporter = reporter
        self._kind, self._key = kind, key
        self._task_run = None if task is None else task.task_run.id
        self._content: tuple[Any, str] = (None, "")
        self._id: UUID | None = None

    def show(self, data: Any, description: str) -> None:
        """Replace the content; returns at once."""
        self._content = data, description
        self._reporter.change(self)

    def send(self, client: SyncPrefectClient) -> None:
        """Create the artifact on the server, or update it."""
        data, description = self._content
        if self._id is not None:
            client.update_artifact(self._id, ArtifactUpdate(data=data, description=description))
            return
        created = ArtifactCreate(
            type=self._kind,
            key=self._key,
            data=data,
            description=description,
            flow_run_id=self._reporter.flow_run,
            task_run_id=self._task_run,
        )
        self._id = client.create_artifact(created).id


@contextlib.contextmanager
def _unless_refused() -> Iterator[None]:
    """Drop what the server will never accept, such as text that is too long."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status >= 500 or status in _RETRIED:
            raise
        stderr.print(f"the Prefect server refused a report ({status})", markup=False)


def _end_process(reason: str) -> None:
    """End this process at once: ranks and other children are on a leash and end with it.

    A worker takes any other exit code than 0 for a crash.
    """
    started_by_worker = "PREFECT__FLOW_RUN_ID" in os.environ
    with contextlib.suppress(OSError, SystemExit):
        stderr.print(f"mindrail: {reason}", markup=False)
    os._exit(0 if started_by_worker else 1)
