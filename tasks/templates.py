"""Which prompt templates a pipeline scores its model with, before and after training. No Prefect here."""

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


def prompt_mismatch(config: Pipeline) -> str | None:
    """Return a line that says that the trained model is asked unlike its rows; None if it is asked alike."""
    rows, template = config.preprocess.format, config.generate.template_name
    fitting = TEMPLATES_OF_ROWS[rows]
    if template in fitting:
        return None
    return (
        f"generate.template is {template}, but the model is trained on {rows} rows, which ask as template "
        f"{' or '.join(fitting)} does"
    )


def template_notes(config: Pipeline) -> tuple[str, ...]:
    """Return what a user should know of the templates, one line each.

    Raises:
        MindrailError: as of `baseline_generation`.
    """
    notes = [] if (mismatch := prompt_mismatch(config)) is None else [mismatch]
    after = config.generate.template_name
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
