"""Checks an evaluation: benchmark, template and isolation are there, and the prompts fit the model."""

from __future__ import annotations

from modelcore.config.checkpoint import Download
from modelcore.config.evaluation import Generate, Score
from modelcore.config.runs import Evaluate, Pipeline
from modelcore.data.tokenizers import load_tokenizer
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.templates import template
from modelcore.generation.prompt_ids import check_prompt, cut_prompt, encode_prompts
from modelcore.models.families import read_model
from modelcore.sandbox.pool import Pool
from modelcore.store.store import Store
from tasks.named_checkpoint import check_whole, named_checkpoint
from tasks.preflight.directories import Directories
from tasks.preflight.errors import key_named
from tasks.preflight.source import check_source
from tasks.templates import baseline_generation, own_generation, template_notes

__all__ = ["check_baseline", "check_checkpoints", "check_isolation", "check_questions"]


def check_questions(config: Generate, directories: Directories) -> tuple[str, ...]:
    """Check what the model will be asked, and return what to know of prompts that do not fit.

    Raises:
        MindrailError: benchmark or template is not there, or a prompt is longer than the model's context.
    """
    form, cut = template(config.template_name), 0
    with key_named("generate.benchmark"):
        problems = load_benchmark(config.benchmark).problems
        if directories.model is not None:
            model, tokenizer = read_model(directories.model), load_tokenizer(directories.model)
            texts = [form.prompt(problem) for problem in problems]
            bos = begins_with_bos(directories.model)
            for problem, encoded in zip(problems, encode_prompts(tokenizer, texts, bos=bos), strict=True):
                ids, left = cut_prompt(encoded, model, config, bos=bos)
                check_prompt(ids, model, where=f"{config.benchmark}: {problem.task_id}")
                cut += left > 0
    if not cut:
        return ()
    count = f"{cut} of {len(problems)} prompts"
    return (
        f"{config.benchmark}: {count} fill the model's context and lose tokens of their left "
        "(generate.long_prompts: cut)",
    )


def check_baseline(config: Pipeline, directories: Directories) -> tuple[str, ...]:
    """Check what the model will be asked before training, and return what to know of the templates.

    Raises:
        MindrailError: a prompt of the baseline's template is longer than the model's context.
    """
    cut: tuple[str, ...] = ()
    if config.baseline and (generation := baseline_generation(config)) != config.generate:
        cut = check_questions(generation, directories)
    return (*cut, *template_notes(config))


def check_isolation(config: Score, _: Directories) -> None:
    """Check that answers can be executed here, by starting a worker that executes nothing.

    Raises:
        MindrailError: no isolation that is good enough works on this machine.
    """
    with key_named("score.require_isolation"), Pool(workers=1, minimum=config.require_isolation):
        pass


def check_checkpoints(config: Evaluate, directories: Directories) -> tuple[str, ...]:
    """Check the checkpoints that an evaluation names; of those elsewhere, their addresses.

    Returns:
        What to know of prompts that do not fit a checkpoint.

    Raises:
        MindrailError: one is missing, sharded or of no known family, or has no tokenizer.
    """
    store = Store(directories.store)
    notes: list[str] = []
    for name in config.checkpoints:
        with key_named("checkpoints"):
            directory = named_checkpoint(store, name)
            if directory is None:
                check_source(Download(source=name))
            else:
                check_whole(directory)
                generation = own_generation(config.generate, store, directory)
                notes += check_questions(generation, Directories(directories.store, directory))
    return tuple(notes)
