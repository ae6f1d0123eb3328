"""Writes the demo's inputs: training rows, a benchmark, and a random model with its tokenizer.

It trains nothing and needs neither MindSpore nor torch.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from tokenizers import Tokenizer

from modelcore.data.encoding.prompts import alpaca_prompt
from modelcore.demo.config import FirstPrograms
from modelcore.demo.drawing import HeldOut, Pairs, draw_held_out, draw_training, held_out_pairs
from modelcore.demo.leaks import Known, Leaks, count_leaks
from modelcore.demo.problems import draw_problem
from modelcore.demo.program import Program
from modelcore.demo.random_llama import write_random_llama
from modelcore.demo.rows import fenced, row
from modelcore.demo.tokenizer import END, PAD, write_tokenizer
from modelcore.progress import Progress, silent

__all__ = ["FirstProgramsReport", "write_first_programs"]

_PARTS = 4


@dataclass(frozen=True)
class FirstProgramsReport:
    """What was written, and what the benchmark shares with the training rows.

    Attributes:
        programs: training rows, all distinct programs.
        problems: benchmark problems.
        problems_by_kind: how many there are of each kind (see `drawing`).
        kinds: task id -> kind.
        leaks: what problems and rows share; nothing is written unless these are zeros.
        compositions: distinct chains of steps in training, whatever their constants.
        held_out_pairs: pairs of steps that follow each other in no training row.
        vocab_size: entries of the tokenizer.
        longest_row: tokens of the longest training row, prompt and answer and end.
        longest_answer: tokens of the longest answer and its end, training or benchmark.
        seed: of all of it.
    """

    programs: int
    problems: int
    problems_by_kind: dict[str, int]
    kinds: dict[str, str]
    leaks: Leaks
    compositions: int
    held_out_pairs: int
    vocab_size: int
    longest_row: int
    longest_answer: int
    seed: int


def write_first_programs(
    destination: Path, config: FirstPrograms, *, progress: Progress = silent
) -> FirstProgramsReport:
    """Write `train.json`, `benchmark.jsonl`, `checkpoint/` and `first_programs.json` into `destination`.

    The same configuration gives the same files, byte for byte.

    Args:
        destination: a directory; created when missing.
        config: how many rows and problems, the tokenizer's size, the model's sizes, and the seed of it all.
        progress: called with parts of the work done.

    Returns:
        What `first_programs.json` holds.

    Raises:
        MindrailError: so many distinct programs do not exist.
    """
    checkpoint = destination / "checkpoint"
    checkpoint.mkdir(parents=True, exist_ok=True)
    drawn = _draw(config.programs, config.problems, config.seed, progress)
    progress(2, _PARTS, "part", "check for leaks")
    leaks = count_leaks(drawn.known, drawn.problems)
    if not leaks.none:
        raise AssertionError(f"the benchmark shares programs with the training rows: {leaks}")
    progress(3, _PARTS, "part", "tokenizer and weights")
    tokenizer = _write_checkpoint(checkpoint, drawn.rows, config)
    report = _report(drawn, leaks, tokenizer, config.seed)
    _write_data(destination, drawn, report)
    progress(_PARTS, _PARTS, "part")
    return report


@dataclass(frozen=True)
class _Drawn:
    training: list[Program]
    rows: list[dict[str, str]]
    known: Known
    held_out: list[HeldOut]
    problems: list[dict[str, str]]
    pairs: Pairs


def _draw(programs: int, problems: int, seed: int, progress: Progress) -> _Drawn:
    random_source = random.Random(seed)
    pairs = held_out_pairs(random_source)
    progress(0, _PARTS, "part", "training rows")
    training = draw_training(programs, pairs, random_source)
    rows = [row(program, random_source) for program in training]
    progress(1, _PARTS, "part", "benchmark")
    known = Known(rows)
    drawn = _Drawn(training, rows, known, [], [], pairs)
    for item in draw_held_out(problems, training, known, pairs, random_source):
        problem = draw_problem(item.program, f"FirstPrograms/{len(drawn.problems)}", random_source)
        if problem is not None:
            drawn.held_out.append(item)
            drawn.problems.append(problem)
        if len(drawn.problems) == problems:
            break
    return drawn


def _write_checkpoint(directory: Path, rows: list[dict[str, str]], config: FirstPrograms) -> Tokenizer:
    # Question and answer apart: no token may cross the border, since generation starts exactly there.
    questions = (alpaca_prompt(row["instruction"]) for row in rows)
    answers = (row["output"] for row in rows)
    tokenizer = write_tokenizer(
        directory,
        chain(questions, answers),
        vocab_size=config.vocab_size,
        max_length=config.model.max_positions,
    )
    write_random_llama(
        directory,
        config.model,
        vocab_size=tokenizer.get_vocab_size(),
        eos_id=tokenizer.token_to_id(END),
        pad_id=tokenizer.token_to_id(PAD),
        seed=config.seed,
    )
    return tokenizer


def _report(drawn: _Drawn, leaks: Leaks, tokenizer: Tokenizer, seed: int) -> FirstProgramsReport:
    rows = [alpaca_prompt(row["instruction"]) + row["output"] for row in drawn.rows]
    held_out_answers = [fenced(item.program.source()) for item in drawn.held_out]
    answers = [row["output"] for row in drawn.rows] + held_out_answers
    return FirstProgramsReport(
        programs=len(drawn.rows),
        problems=len(drawn.problems),
        problems_by_kind=dict(sorted(Counter(item.kind for item in drawn.held_out).items())),
        kinds={
            problem["task_id"]: item.kind
            for problem, item in zip(drawn.problems, drawn.held_out, strict=True)
        },
        leaks=leaks,
        compositions=len({program.composition for program in drawn.training}),
        held_out_pairs=len(drawn.pairs),
        vocab_size=tokenizer.get_vocab_size(),
        longest_row=_longest(tokenizer, rows),
        longest_answer=_longest(tokenizer, answers),
        seed=seed,
    )


def _longest(tokenizer: Tokenizer, texts: list[str]) -> int:
    """Return the most tokens of a text, with the one that ends it."""
    return max(len(encoding.ids) for encoding in tokenizer.encode_batch(texts)) + 1


def _write_data(destination: Path, drawn: _Drawn, report: FirstProgramsReport) -> None:
    lines = "".join(json.dumps(problem) + "\n" for problem in drawn.problems)
    texts = {
        "train.json": json.dumps(drawn.rows, indent=1) + "\n",
        "benchmark.jsonl": lines,
        "first_programs.json": json.dumps(asdict(report), indent=2) + "\n",
    }
    for name, text in texts.items():
        (destination / name).write_text(text, encoding="utf-8")
