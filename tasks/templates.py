"""Which prompt templates a model is scored with, before training and after. No Prefect here."""

from __future__ import annotations

from modelcore.config.evaluation import TEMPLATES_OF_ROWS, Generate, TemplateName
from modelcore.config.runs import Pipeline
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.models.shipped import published_model

__all__ = ["baseline_generation", "prompt_mismatch", "template_notes"]


def baseline_generation(config: Pipeline) -> Generate:
    """Return how the model is asked before training.

    Without `baseline_template` that is as it was published: a base model with `base`, an instruct model with
    its own template. A model that is none of the shipped ones is asked as after training.

    Raises:
        MindrailError: the benchmark cannot be read.
    """
    template = config.baseline_template or _own_template(config)
    return config.generate.model_copy(update={"template": template})


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


def _own_template(config: Pipeline) -> TemplateName:
    """Return the template that the model was published with, if it is shipped, else that of `generate`."""
    model, after = published_model(config.download.source), config.generate.template_name
    if model is None:
        return after
    if model.template != "base":
        return model.template
    if after in TEMPLATES_OF_ROWS["text"]:
        return after
    return "base-mbpp" if _is_mbpp(config.generate.benchmark) else "base"


def _is_mbpp(benchmark: str) -> bool:
    """Return whether the problems are MBPP's, whose answers begin where `base` would stop."""
    return load_benchmark(benchmark).problems[0].task_id.startswith("MBPP/")
