"""Checks training data: the files are there, and the first sample and the tokenizer fit the row format."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.data import Preprocess
from modelcore.config.reading import parse
from modelcore.data.encoding.examine import Examiner, Plan
from modelcore.data.options import Options
from modelcore.data.preprocess import check_first_sample
from modelcore.data.quality.contamination import read_benchmark_texts
from modelcore.errors import MindrailError
from tasks.preflight.directories import Directories
from tasks.preflight.errors import key_named

__all__ = ["check_data"]


def check_data(config: Preprocess, directories: Directories) -> None:
    """Check what `preprocess` will read.

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
    if directories.model is not None:
        with key_named("preprocess"):
            Examiner(Plan(options, directories.model))


def _file(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise MindrailError("there is no such file", where=path, fix="check the path")
    return path
