"""Checks training data: the files are there, and the first sample and the tokenizer fit the row format."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.data import Preprocess
from modelcore.config.reading import parse
from modelcore.data.encoding.examine import Examiner, Plan
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.options import Options
from modelcore.data.preprocess import check_first_sample
from modelcore.data.quality.contamination import read_benchmark_texts
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.errors import MindrailError
from tasks.preflight.directories import Directories
from tasks.preflight.errors import key_named

__all__ = ["check_data"]


def check_data(config: Preprocess, directories: Directories) -> tuple[str, ...]:
    """Check what `preprocess` will read, and return what a user should know of it, one line each.

    Raises:
        MindrailError: the data or a benchmark file is missing or unusable, or the tokenizer is missing or not
            one for the row format.
    """
    options = parse(config.model_dump(exclude={"input"}), Options)
    with key_named("preprocess.input"):
        check_first_sample(_file(config.input), options)
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


def _file(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise MindrailError("there is no such file", where=path, fix="check the path")
    return path
