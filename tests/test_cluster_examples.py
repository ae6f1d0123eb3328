"""The examples in docs/cluster/: bash parses one, the other has only fields that Kubernetes and KubeRay know.

The fields are those of the v1 API of pods and of KubeRay 1.6, as far as the example could use them;
a misspelled or misplaced one is found. Neither example is run.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from modelcore.config.reading import parse
from modelcore.config.training import Launch
from tests.paths import ROOT

EXAMPLES = ROOT / "docs" / "cluster"
SBATCH = EXAMPLES / "slurm.sbatch"

# What a field holds: the name of a kind below, [kind] for a list of it, or None for anything.
FIELDS: dict[str, dict[str, Any]] = {
    "RayCluster": {"apiVersion": None, "kind": None, "metadata": "Metadata", "spec": "ClusterSpec"},
    "ClusterSpec": {
        "rayVersion": None,
        "authOptions": "AuthOptions",
        "enableInTreeAutoscaling": None,
        "headGroupSpec": "HeadGroup",
        "workerGroupSpecs": ["WorkerGroup"],
    },
    "AuthOptions": {"mode": None, "secretName": None},
    "HeadGroup": {"rayStartParams": None, "template": "Template", "serviceType": None},
    "WorkerGroup": {
        **dict.fromkeys(
            ("groupName", "replicas", "minReplicas", "maxReplicas", "numOfHosts", "rayStartParams")
        ),
        "template": "Template",
    },
    "Template": {"metadata": "Metadata", "spec": "PodSpec"},
    "PodSpec": {
        "containers": ["Container"],
        "volumes": ["Volume"],
        **dict.fromkeys(("nodeSelector", "tolerations", "affinity", "hostNetwork", "serviceAccountName")),
    },
    "Container": {
        **dict.fromkeys(("name", "image", "command", "args", "imagePullPolicy", "securityContext")),
        "env": ["Env"],
        "ports": ["Port"],
        "readinessProbe": "Probe",
        "livenessProbe": "Probe",
        "resources": "Resources",
        "volumeMounts": ["Mount"],
    },
    "Env": {"name": None, "value": None, "valueFrom": None},
    "Port": {"containerPort": None, "name": None, "protocol": None},
    "Probe": {
        "exec": "Exec",
        **dict.fromkeys(("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold")),
    },
    "Exec": {"command": None},
    "Resources": {"limits": None, "requests": None},
    "Mount": {"mountPath": None, "name": None, "readOnly": None, "subPath": None},
    "Volume": {"name": None, "persistentVolumeClaim": "Claimed", "emptyDir": "EmptyDir", "hostPath": None},
    "Claimed": {"claimName": None, "readOnly": None},
    "EmptyDir": {"medium": None, "sizeLimit": None},
    "Metadata": {"name": None, "namespace": None, "labels": None, "annotations": None},
    "PersistentVolumeClaim": {"apiVersion": None, "kind": None, "metadata": "Metadata", "spec": "ClaimSpec"},
    "ClaimSpec": {"accessModes": None, "resources": "Resources", "storageClassName": None},
}


def unknown(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Yield the path of every field that its kind does not have."""
    if isinstance(kind, list):
        for index, item in enumerate(value):
            yield from unknown(item, kind[0], f"{where}[{index}]")
    elif kind is not None:
        for name, inner in value.items():
            if name not in FIELDS[kind]:
                yield f"{where}.{name}"
            else:
                yield from unknown(inner, FIELDS[kind][name], f"{where}.{name}")


@pytest.fixture(scope="module")
def documents() -> list[Any]:
    return list(yaml.safe_load_all((EXAMPLES / "kuberay.yaml").read_text()))


def test_kuberays_example_has_only_known_fields(documents: list[Any]) -> None:
    assert [document["kind"] for document in documents] == ["PersistentVolumeClaim", "RayCluster"]
    assert [one for document in documents for one in unknown(document, document["kind"], "")] == []


def test_a_misplaced_field_would_be_found(documents: list[Any]) -> None:
    cluster = documents[1]
    changed = cluster | {"spec": cluster["spec"] | {"replicas": 2}}
    assert list(unknown(changed, "RayCluster", "")) == [".spec.replicas"]


def test_kuberays_example_fits_the_pinned_ray_and_itself(documents: list[Any]) -> None:
    claim, cluster = documents
    pinned = re.search(r'"ray(?:\[\w+\])?==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert pinned is not None and cluster["spec"]["rayVersion"] == pinned[1]
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for group in groups:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        names = {volume["name"] for volume in pod["volumes"]}
        claims = {
            v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v
        }
        assert claims == {claim["metadata"]["name"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= names
            resources = container["resources"]
            assert resources["limits"] == resources["requests"]


def test_slurms_example_is_parsed_by_bash() -> None:
    checked = subprocess.run(["bash", "-n", str(SBATCH)], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    options = re.findall(r"^#SBATCH --([a-z-]+)", SBATCH.read_text(), re.MULTILINE)
    known = {"job-name", "nodes", "ntasks-per-node", "exclusive", "requeue", "time", "output"}
    assert options and set(options) <= known


@pytest.mark.parametrize("name", ["kuberay.yaml", "slurm.sbatch"])
def test_the_section_that_an_example_names_is_accepted(name: str) -> None:
    (section,) = re.findall(r"`launch: (\{.*\})`", (EXAMPLES / name).read_text())
    launch = parse(yaml.safe_load(section), Launch)
    assert launch.cluster is not None and launch.cluster.world_size == 16
