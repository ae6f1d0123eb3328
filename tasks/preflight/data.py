"""Checks training data: the files are there, and the first sample and the tokenizer fit the row format."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.data import Preprocess
from modelcore.config.reading import parse
from modelcore.data.encoding.examine import Examiner, Plan
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.given_rows import check_given_rows, given_files
from modelcore.data.options import Options
from modelcore.data.preprocess import check_first_sample
from modelcore.data.quality.contamination import read_benchmark_texts
from modelcore.data.sources.files import named_files
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from tasks.preflight.directories import Directories
from tasks.preflight.errors import key_named

__all__ = ["check_data", "given_options", "vocabulary_of"]


def check_data(config: Preprocess, directories: Directories) -> tuple[str, ...]:
    """Check what `preprocess` will read, and return what a user should know of it, one line each.

    Raises:
        MindrailError: the data or a benchmark file is missing or unusable, or the tokenizer is missing or not
            one for the row format.
    """
    if config.rows:
        with key_named("preprocess.rows"):
            known = None if directories.model is None else vocabulary_of(directories.model)
            check_given_rows(given_files(config.rows), given_options(config), known)
        return ()
    options = parse(config.model_dump(exclude={"input", "rows", "cluster"}), Options)
    with key_named("preprocess.input"):
        for path in named_files(config.input):
            check_first_sample(path, options)
    with key_named("preprocess.benchmarks"):
        for name in config.benchmarks:
            read_benchmark_texts(_file(name))
    if directories.model is None:
        return ()
    with key_named("preprocess"):
        Examiner(Plan(options, directories.model))
    return _notes(config, directories.model)


def _notes(config: Preprocess, model: Path) -> tuple[str, ...]:
    form = FORMATS.get(config.format)
    if form is None or form.opening is None or begins_with_bos(model):
        return ()
    return (
        f"{config.format} rows begin with {form.opening}, but prompts of this model do not: its tokenizer "
        "files add no BOS (add_bos_token of tokenizer_config.json)",
    )


def given_options(config: Preprocess) -> Options:
    """Return the options of rows that exist already."""
    return parse(config.model_dump(exclude={"input", "rows", "cluster"}), Options)


def vocabulary_of(directory: Path) -> int | None:
    """Return the tokens that the model in a directory knows, None without config.json."""
    return read_model(directory).config.vocab_size if (directory / "config.json").is_file() else None


def _file(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise MindrailError("there is no such file", where=path, fix="check the path")
    return path
