"""Which prompt templates a model is scored with, before training and after. No Prefect here."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.evaluation import TEMPLATES_OF_ROWS, Generate, TemplateName
from modelcore.config.runs import Pipeline
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.models.shipped import published_model
from modelcore.store.store import Store
from tasks.ancestry import line_of, row_format_of, source_of

__all__ = ["baseline_generation", "own_generation", "prompt_mismatch", "template_notes"]


def baseline_generation(config: Pipeline) -> Generate:
    """Return how the model is asked before training.

    Without `baseline_template` that is as it was published: a base model with `base`, an instruct model with
    its own template. A model that is none of the shipped ones is asked as after training.

    Raises:
        MindrailError: the benchmark cannot be read.
    """
    model, after = published_model(config.download.source), config.generate.template_name
    stays_base = model is not None and model.template == "base" and after in TEMPLATES_OF_ROWS["text"]
    template: TemplateName = after if model is None or stays_base else _on(config.generate, model.template)
    return config.generate.model_copy(update={"template": config.baseline_template or template})


def own_generation(config: Generate, store: Store, checkpoint: Path) -> Generate:
    """Return how an evaluation asks a checkpoint: with its own template, if none is chosen for all.

    That is the template of the rows it was trained on here, or else the one that it was published with if it
    is a shipped model; `base` for a checkpoint of which the store knows neither.

    Raises:
        MindrailError: the benchmark cannot be read.
    """
    if config.template is not None:
        return config
    line = line_of(store, checkpoint)
    model = published_model(source_of(line))
    own: TemplateName = "base" if model is None else model.template
    fitting = TEMPLATES_OF_ROWS.get(row_format_of(line) or "", (own,))
    return config.model_copy(update={"template": _on(config, fitting[0])})


def prompt_mismatch(template: str, rows: str) -> str | None:
    """Return a line that says that a model is asked unlike the rows it is trained on; None if it is not.

    Args:
        template: that the model is asked with.
        rows: format of the rows.
    """
    fitting = TEMPLATES_OF_ROWS.get(rows, (template,))
    if template in fitting:
        return None
    return (
        f"template {template} does not ask as the {rows} rows that the model is trained on; "
        f"template {' or '.join(fitting)} does"
    )


def template_notes(config: Pipeline) -> tuple[str, ...]:
    """Return what a user should know of the templates, one line each.

    Raises:
        MindrailError: as of `baseline_generation`.
    """
    after = config.generate.template_name
    mismatch = prompt_mismatch(after, config.preprocess.format)
    notes = [] if mismatch is None else [f"generate.template: {mismatch}"]
    if config.baseline and (before := baseline_generation(config).template_name) != after:
        notes.append(f"scored with template {before} before training, and with {after} after it")
    return tuple(notes)


def _on(config: Generate, template: TemplateName) -> TemplateName:
    """Return a template for the benchmark: `base` would cut an answer to MBPP after its first function."""
    if template != "base" or not load_benchmark(config.benchmark).problems[0].task_id.startswith("MBPP/"):
        return template
    return "base-mbpp"
