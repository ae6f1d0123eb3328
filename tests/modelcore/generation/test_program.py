"""The program's promises, with a real network and tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelcore.data.tokenizers import load_tokenizer
from modelcore.generation.decoder import Decoder
from modelcore.generation.plan import GenerationPlan
from modelcore.generation.program import generate, main
from modelcore.generation.prompt_ids import encode_prompts
from modelcore.models.model import Model
from modelcore.weights.dtypes import DType
from tests.modelcore.generation.byte_checkpoint import write_checkpoint

PROMPTS = [f"def f{i}(" + "x, " * (7 * i % 11) for i in range(9)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), PROMPTS, layers=1, heads=2)


@pytest.fixture(scope="module", autouse=True)
def compiled_decoders() -> Iterator[None]:
    """Compile one decoder for each size; a later job finds the sequences of an earlier one in its cache."""
    known: dict[tuple[Path, int, int, int], Decoder] = {}

    def decoder(
        model: Model, checkpoint: Path, *, slots: int, length: int, prompts: int, width: int, matrices: DType
    ) -> Decoder:
        key = checkpoint, slots, length, prompts
        if key not in known:
            known[key] = Decoder(
                model, checkpoint, slots=slots, length=length, prompts=prompts, width=width, matrices=matrices
            )
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modelcore.generation.decoder.Decoder", decoder)
        yield


def plan(checkpoint: Path, directory: Path, **changes: Any) -> GenerationPlan:
    prompts = directory / "prompts.jsonl"
    rows = [{"task_id": f"task/{i}", "prompt": text} for i, text in enumerate(PROMPTS)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked: dict[str, Any] = {
        "checkpoint": str(checkpoint),
        "prompts": str(prompts),
        "output": str(directory / "responses.jsonl"),
        "max_new_tokens": 12,
        "samples": 2,
        "temperature": 1.0,
        "top_p": 0.95,
        "seed": 5,
        "batch_size": 4,
    }
    return GenerationPlan(**{**asked, **changes})


class Killed(BaseException):
    """Not an error anyone catches."""


def test_a_killed_run_goes_on_to_the_same_bytes(checkpoint: Path, tmp_path: Path) -> None:
    job = plan(checkpoint, tmp_path)
    output = Path(job.output)
    generate(job)
    undisturbed = output.read_bytes()
    rows = [json.loads(line) for line in undisturbed.splitlines()]
    assert [(row["task_id"], row["sample"]) for row in rows] == [
        (f"task/{i}", s) for i in range(9) for s in (0, 1)
    ]
    assert len({row["response"] for row in rows}) > 9
    assert not (tmp_path / "responses.jsonl.journal").exists()

    output.unlink()
    kept = 0

    def kill_half_way(done: float, total: float | None, unit: str, note: str = "") -> None:
        nonlocal kept
        kept = int(note.split()[0]) if "of" in note else 0
        if kept >= 7:
            raise Killed

    with pytest.raises(Killed):
        generate(job, kill_half_way)
    assert not output.exists()
    journal = tmp_path / "responses.jsonl.journal"
    journal.write_bytes(journal.read_bytes() + b'{"task_id": "task/')
    told: list[tuple[float, float | None, str]] = []
    generate(job, lambda done, total, unit, note="": told.append((done, total, note)))
    assert output.read_bytes() == undisturbed
    assert told[0] == (0, (18 - kept) * 12, "loading and compiling")
    assert 7 <= kept < 18
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("temperature", [pytest.param(0.0, marks=pytest.mark.long), 0.8])
def test_the_batch_size_changes_no_byte(checkpoint: Path, tmp_path: Path, temperature: float) -> None:
    written = []
    for batch_size in (1, 3, 16):
        directory = tmp_path / str(batch_size)
        directory.mkdir()
        samples = 2 if temperature else 1
        job = plan(checkpoint, directory, batch_size=batch_size, temperature=temperature, samples=samples)
        generate(job)
        written.append(Path(job.output).read_bytes())
    assert written[0] == written[1] == written[2]


def test_another_seed_draws_other_answers(checkpoint: Path, tmp_path: Path) -> None:
    written = []
    for seed in (5, 6):
        job = plan(checkpoint, tmp_path, seed=seed)
        generate(job)
        written.append(Path(job.output).read_bytes())
    assert written[0] != written[1]


def test_a_journal_of_another_job_is_not_believed(checkpoint: Path, tmp_path: Path) -> None:
    job = plan(checkpoint, tmp_path, samples=1, temperature=0.0)
    journal = tmp_path / "responses.jsonl.journal"
    rows = [{"task_id": f"task/{i}", "sample": 0, "response": "wrong", "finish": "eos"} for i in range(9)]
    journal.write_text("".join(json.dumps(row) + "\n" for row in [{"fingerprint": "another"}, *rows]))
    generate(job)
    assert b"wrong" not in Path(job.output).read_bytes()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seeed": 1}, "seeed: unknown key; did you mean seed?"),
        ({"max_new_tokens": 0}, "max_new_tokens: input should be greater than or equal to 1"),
        ({"prompts": "{here}/none.jsonl"}, "no such file"),
        ({"prompts": "{here}/twice.jsonl"}, "twice.jsonl:2: task_id 'a' comes twice"),
        (
            {"prompts": "{here}/long.jsonl"},
            "long.jsonl: a: the prompt has 128 tokens, the model's context is 128",
        ),
        ({"prompts": "{here}/empty.jsonl"}, "empty.jsonl: a: the prompt is empty"),
        ({"checkpoint": "{here}"}, "no config.json here"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    changes: dict[str, Any], line: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = {
        key: value.format(here=tmp_path) if isinstance(value, str) else value
        for key, value in changes.items()
    }
    row = '{"task_id": "a", "prompt": "%s"}\n'
    (tmp_path / "twice.jsonl").write_text(row % "x" * 2)
    (tmp_path / "long.jsonl").write_text(row % ("\\u00e9" * 64))
    (tmp_path / "empty.jsonl").write_text(row % "")
    asked = plan(checkpoint, tmp_path).model_dump() | here
    (tmp_path / "plan.json").write_text(json.dumps(asked))
    assert main([str(tmp_path / "plan.json")]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_prompts_begin_with_bos_once_even_where_the_template_spells_it_out(checkpoint: Path) -> None:
    tokenizer = load_tokenizer(checkpoint)
    assert tokenizer.bos_id is not None
    (bos,) = tokenizer.pieces([tokenizer.bos_id])
    plain, spelled = encode_prompts(tokenizer, ["def f(", f"{bos}def f("], bos=True)
    assert plain == spelled == [tokenizer.bos_id, *tokenizer.encode("def f(")]
    assert encode_prompts(tokenizer, ["def f("], bos=False) == [tokenizer.encode("def f(")]


def test_bos_changes_what_is_written_as_in_transformers(checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    job = plan(checkpoint, tmp_path, bos=True, samples=1, temperature=0.0, top_p=1.0)
    generate(job)
    ours = [json.loads(line) for line in Path(job.output).read_text().splitlines()]
    theirs = AutoModelForCausalLM.from_pretrained(checkpoint.parent / "hf", dtype=torch.float32)
    tokenizer = load_tokenizer(checkpoint)
    for row, text in zip(ours, PROMPTS, strict=True):
        ids = torch.tensor([tokenizer.encode(text, bos=True)])
        found = theirs.generate(ids, max_new_tokens=12, do_sample=False, eos_token_id=0, pad_token_id=1)
        assert row["response"] == tokenizer.decode(found[0, ids.shape[1] :].tolist())
