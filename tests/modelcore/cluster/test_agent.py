"""An agent without Ray: it ends its ranks when nobody renews its lease, whatever its disk does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.modelcore.launching.survivors import wait_until, wait_until_gone

AGENT = """
import sys
from modelcore.cluster.agent import Agent, Share
from modelcore.launching.rank_environment import Rendezvous
log_dir, program = sys.argv[1:]
share = Share("10.0.0.2", ["-c", program], [1], Rendezvous(2, "10.0.0.1", 1, 60), log_dir, {}, 60, 60, None)
Agent(lease=1.0).run(share)
"""
SLEEPING = """
import os, pathlib, time
progress = pathlib.Path(os.environ["MINDRAIL_PROGRESS"])
pathlib.Path(progress.parent, "pid").write_text(str(os.getpid()))
time.sleep(1000)
"""
# To open a pipe that nobody writes to waits for ever, as does a file on a disk that cannot be reached.
ON_A_LOST_DISK = SLEEPING.replace("time.sleep", "os.mkfifo(progress)\ntime.sleep")


@pytest.mark.parametrize("program", [SLEEPING, ON_A_LOST_DISK], ids=["its disk works", "its disk hangs"])
def test_an_agent_that_hears_nothing_ends_its_ranks(tmp_path: Path, program: str) -> None:
    agent = subprocess.Popen([sys.executable, "-c", AGENT, str(tmp_path), program])
    wait_until(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text() != "")
    agent.wait(60)
    wait_until_gone([int((tmp_path / "pid").read_text())])
