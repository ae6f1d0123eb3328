"""A driver on a host outside the cluster, through Ray's client: `launch.cluster.address: ray://…`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.modelcore.cluster.conftest import PROGRAM, Cluster
from tests.modelcore.cluster.test_cluster import REPORT

pytest.importorskip("grpc", reason="Ray's client needs grpcio (pip install mindrail[cluster])")
pytestmark = [pytest.mark.ranks, pytest.mark.long]


def test_a_host_outside_the_cluster_runs_a_job_on_it(cluster: Cluster, tmp_path: Path) -> None:
    address = f"ray://{cluster.first.address}:10001"
    job = {
        "arguments": ["-c", REPORT],
        "cluster": {"hosts": 2, "ranks_per_host": 1, "address": address, "spare_wait": 60},
        "logs": str(tmp_path),
        "retries": 0,
        "hang_timeout": 900,
    }
    (tmp_path / "job.test").write_text(json.dumps(job))
    log = tmp_path / "said.log"
    code = cluster.third.popen([sys.executable, str(PROGRAM), str(tmp_path / "job.test")], log=log).wait(200)
    assert code == 0, log.read_text()
    assert "attempt 1 starts on 10.77.0.1, 10.77.0.2" in log.read_text()
    assert "attempt 1 finished the job" in log.read_text()
