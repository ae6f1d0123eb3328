"""Whether this machine can do the work, and the command that mends what is wrong. No Prefect here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil

from modelcore.errors import MindrailError
from modelcore.launching.processor import has_bf16_products, processor_units
from modelcore.sandbox.isolation import NOT_HIDDEN
from modelcore.sandbox.pool import Pool
from modelcore.units import format_bytes
from modelcore.versions import code_version, wrong_versions
from tasks.preflight.disk_space import existing

__all__ = ["Finding", "examine"]

State = Literal["good", "note", "wrong"]

_LITTLE_DISK = 10 * 10**9
_LITTLE_MEMORY = 4 * 10**9
_SELF_CHECK_TIMEOUT = 180.0
_SELF_CHECK = """
import numpy as np
import mindspore as ms
a = ms.Tensor(np.full((64, 64), 2, np.float32))
assert float(ms.ops.matmul(a, a).asnumpy()[0, 0]) == 256, "a matrix product is wrong"
"""
_CONNECT_TIMEOUT = 5.0
_RAY = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray"
_DEVICES = Path("/dev")
_ASCEND_HOMES = ("/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/cann")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        state: `good`, `note` (works, but worth knowing) or `wrong`.
        detail: what was found.
        fix: what to type, or to do; "" where there is nothing.
    """

    name: str
    state: State
    detail: str
    fix: str = ""


def examine(store: Path, check_server: Callable[[], None]) -> Iterator[Finding]:
    """Look at everything, one finding after the other.

    Args:
        store: where artifacts will lie.
        check_server: raises a MindrailError if the Prefect server that is configured does not answer.
    """
    yield from _versions()
    yield _disk(store)
    yield from _machine()
    yield _precision()
    yield _mindspore()
    yield _isolation()
    yield _server(check_server)
    yield _ray()
    yield _ascend()


def _versions() -> Iterator[Finding]:
    wrong = wrong_versions()
    python = ".".join(map(str, sys.version_info[:3]))
    if not wrong:
        yield Finding("versions", "good", f"mindrail {code_version()}, Python {python}, packages as pinned")
    for line in wrong:
        yield Finding("versions", "wrong", line, "make setup")


def _disk(store: Path) -> Finding:
    free = shutil.disk_usage(existing(store)).free
    detail = f"{format_bytes(free)} free for {store.absolute()}"
    if not os.access(existing(store), os.W_OK | os.X_OK):
        return Finding("disk", "wrong", f"cannot write in {existing(store)}", "choose another with --store")
    if free < _LITTLE_DISK:
        return Finding("disk", "note", detail, "mindrail store gc")
    return Finding("disk", "good", detail)


def _machine() -> Iterator[Finding]:
    usable, all_cores = len(os.sched_getaffinity(0)), os.cpu_count() or 0
    few = "" if usable == all_cores else f", {usable} of them usable by this process"
    yield Finding("cores", "good", f"{all_cores}{few}")
    memory = psutil.virtual_memory()
    detail = f"{format_bytes(memory.total)}, {format_bytes(memory.available)} available"
    state: State = "note" if memory.available < _LITTLE_MEMORY else "good"
    yield Finding("memory", state, detail, "end what takes it" if state == "note" else "")


def _precision() -> Finding:
    """Say which precision the processor computes in; MindSpore on CPU emulates the others."""
    units = processor_units()
    if has_bf16_products(units):
        return Finding("precision", "good", f"{', '.join(units)}: bf16 in hardware")
    detail = f"{', '.join(units) or 'no AVX2'}: bf16 is emulated, fp32 is fast"
    return Finding("precision", "note", detail, "train.precision: fp32 (or auto), for runs on this processor")


def _mindspore() -> Finding:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _SELF_CHECK], capture_output=True, text=True, timeout=_SELF_CHECK_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return Finding("MindSpore", "wrong", f"no answer within {_SELF_CHECK_TIMEOUT:.0f} s", "make setup")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return Finding("MindSpore", "wrong", lines[-1] if lines else "it died", "make setup")
    return Finding("MindSpore", "good", "computes a matrix product")


def _isolation() -> Finding:
    try:
        with Pool(workers=1) as pool:
            level = pool.level
    except MindrailError as error:
        return Finding("isolation", "wrong", str(error), "see docs/evaluation.md, Isolation")
    return _isolated(level)


def _isolated(level: str) -> Finding:
    """Say which level of isolation programs are executed with, and what it does not hide from them."""
    state: State = "good" if level == "namespaces" else "note"
    fix = "" if state == "good" else "see docs/evaluation.md, Isolation, for a stronger one"
    seen = "; ".join(NOT_HIDDEN[level])
    return Finding("isolation", state, f"programs are executed with level {level}; they can see {seen}", fix)


def _server(check_server: Callable[[], None]) -> Finding:
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        return Finding("Prefect server", "good", "none configured: commands start their own", "")
    try:
        check_server()
    except MindrailError as error:
        return Finding("Prefect server", "wrong", str(error), "mindrail up, or unset PREFECT_API_URL")
    return Finding("Prefect server", "good", f"{address} answers")


def _ray() -> Finding:
    """Look for the Ray cluster that a run on several hosts would join from this machine."""
    if find_spec("ray") is None:
        fix = "pip install 'mindrail[cluster]', for runs on several hosts"
        return Finding("Ray", "good", "not installed: runs stay on this host", fix)
    address = os.environ.get("RAY_ADDRESS") or _started_here()
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return Finding("Ray", "good", "no cluster: runs stay on this host")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT).close()
    except OSError as error:
        detail = f"{address} does not answer ({error.strerror or error})"
        return Finding("Ray", "wrong", detail, "ray start --head on that host, or unset RAY_ADDRESS")
    return Finding("Ray", "good", f"{address} answers; see mindrail cluster check for its hosts")


def _started_here() -> str:
    """Return the address of the cluster that Ray last started or joined on this machine; "" without one."""
    try:
        return (_RAY / "ray_current_cluster").read_text().strip()
    except OSError:
        return ""


def _ascend() -> Finding:
    devices = sorted(path.name for path in _DEVICES.glob("davinci[0-9]*"))
    home = os.environ.get("ASCEND_HOME_PATH") or next(
        (path for path in _ASCEND_HOMES if Path(path).is_dir()), ""
    )
    if not devices:
        return Finding("Ascend", "good", "no devices: ranks compute on the CPU")
    if not home:
        fix = "install CANN and source its set_env.sh"
        return Finding("Ascend", "wrong", f"{len(devices)} devices, but no CANN", fix)
    if "ASCEND_HOME_PATH" not in os.environ:
        return Finding("Ascend", "wrong", f"CANN in {home} is not set up", f"source {home}/bin/setenv.bash")
    return Finding("Ascend", "good", f"{len(devices)} devices, CANN in {home}")
