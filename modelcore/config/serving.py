"""The options of a server and of a chat: what is loaded, how much is taken, who is let in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelcore.config.evaluation import Decoding, Precision
from modelcore.config.section import Name, PositiveInt, Section

__all__ = ["Loading", "Serving"]


class Loading(Section):
    """How a model is held in memory to answer anyone's questions."""

    batch_size: PositiveInt = Field(8, description="Answers generated side by side")
    context: PositiveInt = Field(
        4096, description="Tokens that prompt and answer have together at most; no more than the model's"
    )
    precision: Precision = Field("auto", description=Decoding.model_fields["precision"].description)


class Serving(Loading):
    """A server of one model with OpenAI's interface."""

    host: Name = Field(
        "127.0.0.1", description="Address to listen on; another than loopback needs a key in MINDRAIL_API_KEY"
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port; 0 for any that is free")
    name: Name | None = Field(None, description="The model's name in requests; by default the checkpoint's")
    queue: Annotated[int, Field(ge=0, le=100_000)] = Field(
        256, description="Answers that may wait for others to end; beyond them clients get 429"
    )
    body_mb: Annotated[int, Field(ge=1, le=1024)] = Field(10, description="MiB that a request may have")
    client_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        60, description="Seconds in which a client sends its request, or reads what was sent to it"
    )
    stop_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        30, description="Seconds that running answers get to end after Ctrl-C or SIGTERM"
    )
