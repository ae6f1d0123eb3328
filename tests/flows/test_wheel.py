"""The wheel is enough: installed outside the checkout, its commands find every file they need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

from modelcore.models.shipped import shipped_models
from tests.flows.reduced_demo import Demo, demo_arguments
from tests.paths import ROOT

SHIPPED = ("flows", "tasks", "modelcore", "configs", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel and, from this one, what the wheel depends on; not the checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(directory)
    environment = directory / "environment"
    venv.create(environment)
    pip(directory, "--python", str(environment), "install", "--no-deps", "--no-index", str(wheel))
    (site_packages,) = environment.glob("lib/*/site-packages")
    # Directories in a .pth file are searched, but their own .pth files are not read: no editable checkout.
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages / "dependencies.pth").write_text("".join(f"{path}\n" for path in sorted(dependencies)))
    return environment


def build_wheel(directory: Path) -> Path:
    """Build the wheel from a copy, since setuptools writes beside the sources."""
    source = directory / "source"
    source.mkdir()
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip(directory, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", ".", "./source")
    (wheel,) = directory.glob("mindrail-*.whl")
    return wheel


def pip(directory: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run(environment: Path, *command: str) -> str:
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(environment / "bin" / command[0]), *command[1:]],
        cwd=environment,
        env=outside,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_json(environment: Path, *arguments: str) -> Any:
    return json.loads(run(environment, "mindrail", *arguments, "--json"))


def test_it_holds_the_code_and_the_shipped_configurations(installed: Path) -> None:
    places = run(
        installed,
        "python",
        "-c",
        "import flows, tasks, modelcore; print(flows.__file__, tasks.__file__, modelcore.__file__)",
    )
    assert all(Path(place).is_relative_to(installed) for place in places.split())
    (site_packages,) = installed.glob("lib/*/site-packages")
    for name in ("configs", "modelcore"):
        checked_in = {
            path.relative_to(ROOT)
            for path in (ROOT / name).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert checked_in <= {path.relative_to(site_packages) for path in (site_packages / name).rglob("*")}


def test_the_command_explains_itself(installed: Path) -> None:
    assert "Usage: mindrail" in run(installed, "mindrail", "--help")
    assert "Usage: mindrail evaluate" in run(installed, "mindrail", "evaluate", "--help")


def test_the_shipped_models_are_listed(installed: Path) -> None:
    assert {model["name"] for model in run_json(installed, "models")["models"]} == set(shipped_models())


@pytest.mark.ranks
@pytest.mark.server
def test_it_takes_the_demo_of_the_checkout_from_the_store(installed: Path, demo: Demo) -> None:
    again = run_json(installed, *demo_arguments(demo.store))
    assert all(step["cached"] for step in again["steps"])
    assert again["pass_at_1"] == demo.result["pass_at_1"]


@pytest.mark.ranks
@pytest.mark.server
def test_it_asks_a_model_and_scores_its_answers(installed: Path, demo: Demo, tmp_path: Path) -> None:
    benchmark = str(demo.path("first-programs") / "benchmark.jsonl")
    command = ["evaluate", str(demo.path("merge")), "--benchmark", benchmark]
    command += ["--set", "generate.max_new_tokens=24", "--store", str(tmp_path)]
    found = run_json(installed, *command)
    assert [step["name"] for step in found["steps"] if not step["cached"]] == ["generate", "extract", "score"]
    assert Path(found["report"]).read_text().count('class="problem') == 8


@pytest.mark.long
@pytest.mark.ranks
@pytest.mark.server
def test_it_runs_the_demo_from_nothing(installed: Path, demo: Demo, tmp_path: Path) -> None:
    alone = run_json(installed, *demo_arguments(tmp_path / "store"))
    assert not any(step["cached"] for step in alone["steps"])
    assert {step["name"]: step["digest"] for step in alone["steps"]} == demo.digests
