"""`mindrail convert`: a directory or a file, as the destination's name says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import command_line
from tests.modelcore.checkpoints import tiny_checkpoints as tiny


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_hf(tiny.tiny_llama(), tmp_path_factory.mktemp("hf") / "llama")


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(command_line, ["convert", *map(str, arguments)])


def test_a_name_that_ends_in_ckpt_is_a_file_and_what_it_lacks_is_said(source: Path, tmp_path: Path) -> None:
    done = convert(source, tmp_path / "llama.ckpt", "--to", "mindspore")
    assert done.exit_code == 0, done.exception
    assert [path.name for path in tmp_path.iterdir()] == ["llama.ckpt"]
    assert f"config.json and tokenizer stay in {source}" in done.output
    convert(source, tmp_path / "directory", "--to", "mindspore")
    assert (tmp_path / "directory/model.ckpt").read_bytes() == (tmp_path / "llama.ckpt").read_bytes()


def test_the_file_goes_back_with_the_model_named(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "llama.ckpt", "--to", "mindspore")
    done = convert(
        tmp_path / "llama.ckpt", tmp_path / "l.safetensors", "--to", "hf", "--model", source, "--json"
    )
    assert json.loads(done.stdout)["files"] == ["model.safetensors"]
    assert (tmp_path / "l.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.ckpt", ("--to", "hf"), "--to hf writes safetensors: not a.ckpt"),
        ("a", ("--to", "hf", "--format", "ckpt"), "leave out --format ckpt"),
        ("a.safetensors", ("--to", "mindspore", "--format", "ckpt"), "a.safetensors is safetensors"),
    ],
)
def test_a_name_that_contradicts_the_options_is_refused(
    source: Path, tmp_path: Path, name: str, options: tuple[str, ...], message: str
) -> None:
    done = convert(source, tmp_path / name, *options)
    assert done.exit_code == 2
    assert message in done.output
    assert not [*tmp_path.iterdir()]


def test_an_existing_file_is_never_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "llama.ckpt").write_text("mine")
    done = convert(source, tmp_path / "llama.ckpt", "--to", "mindspore")
    assert "there is something here already" in str(done.exception)
    assert (tmp_path / "llama.ckpt").read_text() == "mine"
