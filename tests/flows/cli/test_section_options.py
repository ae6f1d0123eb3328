"""A flag is the section's key: same type, bounds, choices, default and meaning."""

from __future__ import annotations

from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner, Result
from pydantic import Field, model_validator

from flows.cli.main import command_line
from flows.cli.section_options import option_of, section_options
from modelcore.config.evaluation import Score
from modelcore.config.keys import keys_of
from modelcore.config.section import Flag, PositiveInt, Section, ShareBelowOne
from modelcore.config.training import Sharding
from modelcore.data.options import Options
from modelcore.errors import MindrailError


class Toy(Section):
    """One key of every type."""

    steps: PositiveInt = Field(description="How many")
    share: ShareBelowOne = Field(0.0, description="How much")
    way: Literal["up", "down"] = Field("up", description="Where to")
    numbers: list[int] = Field(default_factory=list, description="Which")
    names: Annotated[list[str], Flag("--of")] = Field(default_factory=list, description="Whose")
    often: PositiveInt | None = Field(None, description="How often")
    loud: bool = Field(False, description="Whether aloud")

    @model_validator(mode="after")
    def _up_is_quiet(self) -> Toy:
        if self.loud and self.way == "up":
            raise ValueError("loud is true, but way is up")
        return self


@click.command()
@section_options(Toy, "toy")
@click.option("--other")
def toy_command(toy: Toy, other: str | None) -> None:
    click.echo(f"{toy!r} {other}")


def called(*arguments: str) -> Result:
    return CliRunner().invoke(toy_command, arguments)


def test_the_command_gets_the_section_with_its_defaults() -> None:
    assert called("--steps", "3").output == f"{Toy(steps=3)!r} None\n"


def test_every_type_is_read_from_its_flag() -> None:
    flags = [
        "--steps",
        "3",
        "--share",
        "0.5",
        "--way",
        "down",
        "--numbers",
        "0,-1,2",
        "--of",
        "a",
        "--of",
        "b",
    ]
    wanted = Toy(steps=3, share=0.5, way="down", numbers=[0, -1, 2], names=["a", "b"], often=2, loud=True)
    assert called(*flags, "--often", "2", "--loud", "--other", "x").output == f"{wanted!r} x\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--steps'"),
        (["--steps", "0"], "'--steps': 0 is not in the range x>=1"),
        (["--steps", "1", "--share", "1"], "'--share': 1.0 is not in the range 0<=x<1"),
        (["--steps", "1", "--way", "left"], "'--way': 'left' is not one of 'up', 'down'"),
        (["--steps", "1", "--often", "0"], "'--often': 0 is not in the range x>=1"),
        (["--steps", "1", "--numbers", "1,,2"], "'--numbers': '1,,2' is not of the form 0,0,1,-1"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_flag(arguments: list[str], said: str) -> None:
    refused = called(*arguments)
    assert refused.exit_code == 2
    assert said in refused.output


def test_a_rule_between_keys_holds_on_the_command_line_too() -> None:
    refused = called("--steps", "1", "--loud")
    assert isinstance(refused.exception, MindrailError)
    assert str(refused.exception) == "loud is true, but way is up"


def test_help_shows_meaning_bounds_and_default() -> None:
    said = called("--help").output
    assert "How many.  [x>=1; required]" in said
    assert "How much.  [default: 0.0; 0<=x<1]" in said
    assert "[default: up]" in said


def test_a_flag_alone_may_have_another_default() -> None:
    @click.command()
    @option_of(Toy, "way", default=None, show_default=False)
    def command(way: str | None) -> None:
        click.echo(f"{way}")

    assert CliRunner().invoke(command, []).output == "None\n"
    assert CliRunner().invoke(command, ["--way", "left"]).exit_code == 2


@pytest.mark.parametrize(
    ("name", "section", "without"),
    [
        ("preprocess", Options, {"literal_specials"}),
        ("score", Score, {"cluster"}),
        ("shard", Sharding, set()),
        ("reshard", Sharding, set()),
    ],
)
def test_a_command_has_every_flag_of_its_section(
    name: str, section: type[Section], without: set[str]
) -> None:
    flags = {flag for option in command_line.commands[name].params for flag in option.opts}
    assert {key.flag for key in keys_of(section) if key.name not in without} <= flags
