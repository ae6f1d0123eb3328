"""The report on preprocessing as a page: complete, self-contained and harmless, whatever the data contain."""

from __future__ import annotations

import json
import re

import pytest

from modelcore.data.mindrecord.output import page_path
from modelcore.data.page import write_page
from modelcore.data.preprocess import preprocess
from tests.byte_vocabulary import write_byte_vocabulary

EVIL = '<script>alert(1)</script><img src="http://x.invalid/"> & </pre>'


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("page")
    source, out = directory / "s.json", directory / "rows.mindrecord"
    benchmark = directory / "mbpp.jsonl"
    shared = "write a function that finds the seventh largest of all numbers in a list"
    benchmark.write_text(json.dumps({"task_id": 7, "text": shared, "code": "x"}))
    records = [{"instruction": EVIL, "output": EVIL}, {"instruction": shared, "output": "a"}, {EVIL: 1}]
    records += [{"instruction": "long", "output": "word " * 400}] * 2
    source.write_text(json.dumps(records))
    report = preprocess(
        source,
        out,
        format="wizardcoder",
        tokenizer_dir=write_byte_vocabulary(directory),
        seq_length=600,
        skip_bad=True,
        benchmarks=(benchmark,),
        near_duplicates="report",
    )
    write_page(out, report)
    return page_path(out).read_text(encoding="utf-8")


def test_every_loss_is_shown_with_its_records(page: str) -> None:
    rows = {
        name: (count, records)
        for name, count, records in re.findall(
            r'<td>([a-z ]+)</td><td class="number">([\d,]+)</td>\s*<td class="soft">[^<]*(?:<br>\s*'
            r"<small>records ([\d, …]+)</small>)?</td>",
            page,
        )
    }
    assert rows["truncated"] == ("2", "4, 5")
    assert rows["invalid"][0] == "1" and "record 3" in page
    assert rows["near duplicates"] == ("1", "5")
    assert rows["contaminated"] == ("1", "2") and "mbpp/7" in page


def test_trained_masked_and_padding_parts_are_distinguished(page: str) -> None:
    first = re.findall(r'<span class="(\w+)" title="(\d+) tokens', page)
    assert [kind for kind, _ in first[:3]] == ["masked", "trained", "padding"]
    assert sum(int(count) for _, count in first[:3]) == 601
    shares = [float(share) for share in re.findall(r'<i class="\w+" style="width: ([\d.]+)%"', page)]
    assert sum(shares) == pytest.approx(100, abs=0.01)


def test_it_loads_nothing_and_runs_nothing(page: str) -> None:
    assert "<script" not in page and "<img" not in page
    assert "&lt;script&gt;" in page and "<svg" in page
