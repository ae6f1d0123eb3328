"""What a server counts, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Counters of one server.

    Args:
        running: returns how many answers are being generated.
        waiting: returns how many wait.
        slots: how many can be generated side by side.
    """

    def __init__(self, running: Callable[[], int], waiting: Callable[[], int], slots: int) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "mindrail_requests", "Requests by path and HTTP status", ("path", "status"), registry=registry
        )
        self.answers = Counter(
            "mindrail_answers", "Answers by why they ended", ("finish",), registry=registry
        )
        self.prompt_tokens = Counter("mindrail_prompt_tokens", "Tokens of prompts", registry=registry)
        self.generated_tokens = Counter("mindrail_generated_tokens", "Tokens generated", registry=registry)
        self.first_token = Histogram(
            "mindrail_first_token_seconds",
            "From a request to its first token",
            buckets=_SECONDS,
            registry=registry,
        )
        self.answer_seconds = Histogram(
            "mindrail_answer_seconds",
            "From a request to the end of an answer",
            buckets=_SECONDS,
            registry=registry,
        )
        Gauge("mindrail_running", "Answers being generated", registry=registry).set_function(running)
        Gauge("mindrail_waiting", "Answers that wait for a slot", registry=registry).set_function(waiting)
        Gauge("mindrail_slots", "Answers that can be generated side by side", registry=registry).set(slots)

    def text(self) -> bytes:
        """Return all values."""
        return generate_latest(self._registry)
