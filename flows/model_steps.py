"""Training, generating and scoring, each as a flow of its own, and looking at layouts and at the store.

As in `flows.steps`: an input is named by its path, an artifact of an earlier run or any directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tasks.export
import tasks.extract
import tasks.first_programs
import tasks.generate
import tasks.initialize
import tasks.score
from flows.kinds import KINDS
from flows.run_flow import run_flow
from flows.train import launch_with_retries
from modelcore.config.checkpoint import Convert
from modelcore.config.data import Preprocess
from modelcore.config.evaluation import BenchmarkName, Generate, Score, TemplateName
from modelcore.config.kinds import read_any
from modelcore.config.runs import Finetune, Predict, Training
from modelcore.demo.config import Demo, FirstPrograms
from modelcore.demo.described_model import described_model
from modelcore.errors import MindrailError, StepFailed
from modelcore.models.model import Model
from modelcore.store.location import store_directory
from modelcore.store.store import Store
from modelcore.units import format_bytes, parse_bytes
from tasks.dashboard import show_table
from tasks.inputs import check_file, input_step
from tasks.layout import dry_run_of, model_of_run
from tasks.log import log
from tasks.precision import log_precision, with_precision
from tasks.preflight import preflight
from tasks.step import Step
from tasks.step_task import finished

__all__ = [
    "export",
    "extract",
    "first_programs",
    "generate",
    "initialize",
    "launch",
    "layout",
    "score",
    "verify",
]


@run_flow("first-programs", run_name="first programs")
def first_programs(config: FirstPrograms, store: str = "store") -> Step:
    """Generate the demo's inputs: training programs, a benchmark and a random model.

    Args:
        config: how many, and the model's sizes.
        store: directory that holds every step's output.
    """
    return finished(tasks.first_programs.first_programs(Store(store_directory(store)), config))


@run_flow("initialize", run_name="initialize {model}")
def initialize(model: str, seed: int = 1, store: str = "store") -> Step:
    """Write a checkpoint with random weights, to train a model from scratch.

    Args:
        model: directory with config.json and tokenizer.
        seed: of the weights.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    return finished(tasks.initialize.initialize(artifacts, input_step(artifacts, model, key="model"), seed))


@run_flow("launch", run_name="launch {config.name}")
def launch(shards: str, rows: str, config: Finetune) -> Step:
    """Train shards on rows, with supervised ranks.

    Args:
        shards: an artifact of `shard`: config.json and one file per rank of the layout.
        rows: an artifact of `preprocess`.
        config: the run that they are of; nothing is downloaded or preprocessed.
    """
    artifacts = Store(store_directory(config.store))
    start, data = input_step(artifacts, shards, key="shards"), input_step(artifacts, rows, key="rows")
    for note in preflight(config, model=Path(shards), leave_out=(Preprocess,)):
        log(f"note: {note}")
    log_precision(config)
    return finished(launch_with_retries(artifacts, start, data, with_precision(config)))


@run_flow("export", run_name="export {checkpoint}")
def export(checkpoint: str, config: Convert | None = None, store: str = "store") -> Step:
    """Convert a whole MindSpore checkpoint to Hugging Face's names and safetensors.

    Args:
        checkpoint: directory with config.json, weights and tokenizer.
        config: format and dtype to write.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    source = input_step(artifacts, checkpoint, key="checkpoint")
    return finished(tasks.export.export(artifacts, source, config or Convert(format="safetensors")))


@run_flow("generate", run_name="generate with {checkpoint}")
def generate(checkpoint: str, config: Generate, seed: int = 1, store: str = "store") -> Step:
    """Ask a model every problem of a benchmark.

    Args:
        checkpoint: a whole MindSpore checkpoint: config.json, weights and tokenizer.
        config: benchmark, template and decoding.
        seed: of sampled answers.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    source = input_step(artifacts, checkpoint, key="checkpoint")
    preflight(config, store=store, model=source.path)
    return finished(tasks.generate.generate(artifacts, source, config, seed))


@run_flow("extract", run_name="extract {responses}")
def extract(responses: str, config: Generate, store: str = "store") -> Step:
    """Find the program in every answer.

    Args:
        responses: an artifact of `generate`, or a directory with a responses.jsonl.
        config: benchmark and template of these answers.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    source = input_step(artifacts, responses, key="responses")
    check_file(str(source.path / tasks.generate.RESPONSES), key="responses")
    preflight(config, store=store)
    return finished(tasks.extract.extract(artifacts, source, config))


@run_flow("score", run_name="score {samples}")
def score(
    samples: str,
    benchmark: BenchmarkName = "humaneval",
    template: TemplateName = "base",
    config: Score | None = None,
    store: str = "store",
) -> Step:
    """Execute completions, isolated, and count the problems solved.

    Args:
        samples: an artifact of `extract`, or a directory with a samples.jsonl.
        benchmark: humaneval, mbpp, or a file in HumanEval's or MBPP's format.
        template: prompt template of these samples, recorded with the score.
        config: limits, isolation and k.
        store: directory that holds every step's output.
    """
    artifacts, config = Store(store_directory(store)), config or Score()
    source = input_step(artifacts, samples, key="samples")
    check_file(str(source.path / tasks.extract.SAMPLES), key="samples")
    generation = Generate(benchmark=benchmark, template=template)
    for section in (generation, config):
        preflight(section, store=store)
    return finished(tasks.score.score(artifacts, source, generation, config))


@run_flow("layout", run_name="layout {config}")
def layout(config: str, changes: list[str] | None = None, device_memory: str | None = None) -> dict[str, Any]:
    """Show what every rank of a run will hold and need, without a device.

    Args:
        config: YAML of the run on the machine that does this, e.g. configs/predict_codellama_34b_2p.yaml.
        changes: keys to change, e.g. parallel.recompute=true.
        device_memory: what a device has, e.g. 64GB; the run fails if a rank needs more.
    """
    run = read_any(Path(config), "parallel", command="layout", kinds=KINDS, changes=changes or ())
    assert isinstance(run, Training | Predict)  # the kinds with that section
    found = dry_run_of(run, _model_of(run))
    ranks = [
        {
            "rank": one.rank,
            "stage": one.at.stage,
            "layers": f"{one.layers.start}-{one.layers.stop - 1}",
            "parameters": one.parameters,
            "memory": format_bytes(one.memory.total),
        }
        for one in found.ranks
    ]
    show_table("layout", ranks, f"{run.name}: {found.parameters:,} parameters on {len(ranks)} ranks")
    most = max(one.memory.total for one in found.ranks)
    if device_memory is not None and most > _size(device_memory):
        raise StepFailed(f"a rank needs {format_bytes(most)}", where=f"device_memory: {device_memory}")
    return {"name": run.name, "parameters": found.parameters, "ranks": ranks, "notes": list(found.notes)}


@run_flow("verify", run_name="verify {store}")
def verify(store: str = "store") -> dict[str, int]:
    """Read every file of every artifact and compare its sha256 with the manifest.

    Args:
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    found = artifacts.artifacts()
    damages = [line for artifact in found for line in artifacts.damages(artifact)]
    for line in damages:
        log(f"damaged: {line}")
    if damages:
        raise StepFailed(damages[0], fix="run the flow again: it rebuilds what is damaged")
    return {"artifacts": len(found), "damaged": 0}


def _model_of(run: Training | Predict) -> Model:
    if isinstance(run, Demo):
        with described_model(run.first_programs) as described:
            return model_of_run(run, described)
    return model_of_run(run)


def _size(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise MindrailError(str(error), where="device_memory") from error
