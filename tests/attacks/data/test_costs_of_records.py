"""Records that are made to cost memory: what is refused takes little, however it is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

PROGRAM = """
import resource, sys
from pathlib import Path
from modelcore.data.sources.json_records import read_records
from modelcore.errors import MindrailError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(sum(1 for _ in read_records(Path(sys.argv[1]))), "records")
except MindrailError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before >> 10)
"""
FIFTEEN = 15 << 20
EXPENSIVE = {
    "empty lists": ("[" + "[]," * (FIFTEEN // 3) + "[]]", "too many values"),
    "empty objects beside an emoji": ('["😀"' + ",{}" * (FIFTEEN // 3) + "]", "too many values"),
    "commas in a text": (f'"{"," * FIFTEEN}"', "1 records"),
    "escapes": ('"' + '[\\\\\\"' * (FIFTEEN // 5) + '"', "1 records"),
    "short texts": ("[" + '"",' * (FIFTEEN // 3) + '""]', "too many values"),
    "texts without end": (',"' * (FIFTEEN // 2), "invalid JSON"),
}


@pytest.mark.parametrize("form", ['{{"text": {}}}\n', '[{{"text": {}}}]'], ids=["line", "list"])
@pytest.mark.parametrize("attack", EXPENSIVE)
def test_a_record_of_15_mb_takes_little_memory(tmp_path: Path, attack: str, form: str) -> None:
    value, outcome = EXPENSIVE[attack]
    source = tmp_path / "s"
    source.write_text(form.format(value), encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, str(source)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    printed, megabytes = done.stdout.splitlines()
    assert outcome in printed and int(megabytes) < 300
