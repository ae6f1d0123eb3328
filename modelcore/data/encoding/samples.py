"""Reads the samples of a source for one format; invalid records are skipped or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from modelcore.data.encoding.compat import instruction_only
from modelcore.data.encoding.formats import Format
from modelcore.data.options import Options
from modelcore.data.report import PreprocessReport
from modelcore.data.sources.json_records import BadRecord, RawRecord, bad_record, read_records, read_text
from modelcore.data.sources.records import (
    Dialogue,
    Exchange,
    Instruction,
    read_dialogue,
    read_instruction,
    read_plain_text,
)
from modelcore.data.sources.wikitext import mindformers_paragraphs, paragraphs
from modelcore.errors import MindrailError

__all__ = ["Position", "Sample", "read_samples", "read_texts"]


class Sample(NamedTuple):
    """One unit of training data.

    Attributes:
        number: of its record or paragraph in the source, from 1.
        content: a conversation, or a text for pretraining.
    """

    number: int
    content: Dialogue | str


class Position(NamedTuple):
    """Where a file stands among several.

    Attributes:
        first: number of the last sample before it.
        label: what tells its records from those of the others in the report; "" if it is the only file.
    """

    first: int = 0
    label: str = ""


ALONE = Position()
"""Of the only file."""


def read_samples(
    source: Path,
    form: Format,
    report: PreprocessReport,
    options: Options,
    position: Position = ALONE,
) -> Iterator[Sample]:
    """Yield the conversations of `source` in order, and count those read and skipped.

    Args:
        source: a JSON list or JSON lines of Alpaca records and conversations.
        form: the format; a conversation that does not fit its layout is an invalid record.
        report: `records_in`, `bad`, `messages` and `empty_answers` are updated.
        options: decide whether invalid records are skipped.
        position: of the source among several.

    Raises:
        MindrailError: the source is unusable, or a record is invalid and not skipped.
    """
    without_input = options.compat == "mindformers" and form.name == "deepseek"
    translate = instruction_only if without_input else form.from_instruction
    on_bad = _bad_record_handler(source, report, options, position.label)
    for record in read_records(source, on_bad=on_bad):
        number = position.first + record.number
        try:
            dialogue = _dialogue(record, source, translate)
            _check_layout(form, dialogue, record.number, source)
        except MindrailError as error:
            on_bad(error)
            continue
        report.records_in += 1
        if any(not exchange.answer for exchange in dialogue.exchanges):
            report.empty_answers += 1
            report.add_records("empty_answers", [number])
        yield Sample(number, dialogue)


def read_texts(
    source: Path, report: PreprocessReport, options: Options, position: Position = ALONE
) -> Iterator[Sample]:
    """Yield texts for pretraining: the paragraphs of a wikitext file, or the records' `text` or `content`.

    Args:
        source: for the format wiki a wikitext file, else a JSON list or JSON lines.
        report: `records_in`, `bad`, `messages` and `empty_answers` (empty texts) are updated.
        options: the format, and whether invalid records are skipped.
        position: of the source among several.

    Raises:
        MindrailError: the source is unusable, or a record is invalid and not skipped.
    """
    for number, text in _texts(source, report, options, position):
        report.records_in += 1
        if text:
            yield Sample(number, text)
        else:
            report.empty_answers += 1
            report.add_records("empty_answers", [number])


def _texts(
    source: Path, report: PreprocessReport, options: Options, position: Position
) -> Iterator[tuple[int, str]]:
    if options.format == "wiki":
        split = mindformers_paragraphs if options.compat == "mindformers" else paragraphs
        yield from enumerate(split(read_text(source)), position.first + 1)
        return
    on_bad = _bad_record_handler(source, report, options, position.label)
    for record in read_records(source, on_bad=on_bad):
        try:
            text = read_plain_text(record, source)
        except MindrailError as error:
            on_bad(error)
            continue
        yield position.first + record.number, text


def _bad_record_handler(source: Path, report: PreprocessReport, options: Options, label: str) -> BadRecord:
    def on_bad(error: MindrailError) -> None:
        if not options.skip_bad:
            raise error
        report.records_in += 1
        report.add_bad(label + str(error).removeprefix(f"{source}, "))

    return on_bad


def _dialogue(record: RawRecord, source: Path, translate: Callable[[Instruction], Exchange]) -> Dialogue:
    if "conversations" in record.fields:
        return read_dialogue(record, source)
    return Dialogue("", [translate(read_instruction(record, source))])


def _check_layout(form: Format, dialogue: Dialogue, number: int, source: Path) -> None:
    if not form.multi_turn and (dialogue.system or len(dialogue.exchanges) != 1):
        raise bad_record(
            source,
            number,
            f"the {form.name} format has one question, one answer and no system text",
            field="conversations",
            fix="use a conversation format",
        )
