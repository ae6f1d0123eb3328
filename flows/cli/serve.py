"""The command that answers other programs over HTTP: `serve`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.ready_checkpoint import name_of, ready_checkpoint
from flows.cli.section_options import section_options
from modelcore.config.serving import Serving

__all__ = ["serve"]


@command_line.command()
@click.argument("checkpoint")
@section_options(Serving, "config")
@store_option
@as_json
def serve(checkpoint: str, config: Serving, store: Path | None, as_json: bool) -> None:
    """Answer OpenAI's clients with CHECKPOINT: completions, chats, streams.

    CHECKPOINT is a directory (MindSpore's or Hugging Face's), a model of `mindrail models`, hf://owner/name
    or `newest`. Clients use http://127.0.0.1:8000/v1, and the key in MINDRAIL_API_KEY if it is set. Ends with
    Ctrl-C or SIGTERM, after the answers that run have ended.
    """
    os.environ.setdefault("GLOG_v", "3")  # MindSpore's warnings are not about the user's input
    from modelcore.serving.served_model import ServedModel
    from modelcore.serving.server import bind, check_key, url_of
    from modelcore.serving.server import serve as run_server

    key = check_key(config.host)
    with bind(config) as listener:
        directory = ready_checkpoint(checkpoint, "store" if store is None else str(store))
        served = ServedModel.read(directory, config.name or name_of(checkpoint), context=config.context)
        url = url_of(listener)
        facts = {
            "url": url,
            "model": served.name,
            "context": served.context,
            "chat": served.template is not None,
        }

        def ready() -> None:
            emit(facts, as_json, lambda _: click.echo(f"{served.name}: {url}"))

        run_server(served, config, listener, key=key, ready=ready)
