"""The head of a Ray cluster beside the other parts of the service, with a token of its own.

Whoever reaches Ray's ports without a token can run programs, and Ray listens on the host's address even when
loopback is asked for. So the head never starts without one: RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH if set,
else `ray_token` beside the service's other files. This file imports no Ray.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from modelcore.errors import MindrailError

__all__ = ["check_installed", "ray_answers", "ray_command", "ray_environment"]

_TOKEN = "ray_token"
_CLI = (sys.executable, "-m", "ray.scripts.scripts")
_HEALTH_TIMEOUT = 60.0  # seconds; Ray's import alone takes some


def check_installed() -> None:
    """Refuse to start Ray where it is not installed.

    Raises:
        MindrailError: it is not.
    """
    if find_spec("ray") is None:
        raise MindrailError(
            "Ray is not installed", where="up --ray", fix="run: pip install 'mindrail[cluster]'"
        )


def ray_command(host: str, port: int) -> list[str]:
    """Return the command that runs the head until it is ended; `ray://` is on the port after its own."""
    address = [] if host in ("0.0.0.0", "::") else [f"--node-ip-address={host}"]
    # Else it would listen on 10001, which another cluster's head may have; Ray's client needs grpc.
    client = [f"--ray-client-server-port={port + 1}"] if find_spec("grpc") else []
    quiet = ["--include-dashboard=false", "--disable-usage-stats"]
    return [*_CLI, "start", "--head", "--block", f"--port={port}", *client, *address, *quiet]


def ray_environment(directory: Path, port: int) -> dict[str, str]:
    """Return the variables of the head and of all that uses it; creates the token if there is none.

    Args:
        directory: the service's own files.
        port: of the head.
    """
    environment = {"RAY_ADDRESS": f"127.0.0.1:{port}", "RAY_AUTH_MODE": "token"}
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return environment
    token = directory / _TOKEN
    if not token.exists():
        descriptor = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return environment | {"RAY_AUTH_TOKEN_PATH": str(token)}


def ray_answers(environment: Mapping[str, str]) -> bool:
    """Return whether the head that `environment` names answers."""
    command = [*_CLI, "health-check", "--address", environment["RAY_ADDRESS"]]
    try:
        asked = subprocess.run(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_HEALTH_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0
