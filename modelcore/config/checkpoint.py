"""The sections about checkpoints: where one comes from, and how its weights are written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from modelcore.config.section import Section, suggest

__all__ = ["Convert", "Download", "Dtype", "Export", "FileFormat", "Merge", "TrainedDtype"]

FileFormat = Literal["ckpt", "safetensors"]
Dtype = Literal["keep", "fp16", "bf16", "fp32"]
TrainedDtype = Literal["source", "fp16", "bf16", "fp32"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]

_MODELS = sorted(path.stem for path in (Path(__file__).parents[2] / "configs" / "models").glob("*.yaml"))


class Download(Section):
    """Where the checkpoint comes from."""

    source: Annotated[str, suggest(_MODELS, "model", "address")] = Field(
        description=(
            "A model of `mindrail models`, hf://owner/name, https://…/, or a path: of a Hugging Face or "
            "MindSpore directory, a .ckpt, or rank directories with strategy/"
        )
    )
    model: str | None = Field(
        None,
        description=(
            "Where config.json and tokenizer come from, if they are not beside the weights: as source"
        ),
    )
    newest: bool = Field(
        False,
        description="Where a rank of a sharded source has several checkpoints, take the last one",
    )
    revision: str | None = Field(None, description="Branch, tag or commit on the hub")
    endpoint: Annotated[str, Field(pattern="^https?://")] | None = Field(
        None, description="Address of a mirror of the hub"
    )
    offline: bool = Field(False, description="Take a hub's files from this machine's Hugging Face cache")
    token_secret: str | None = Field(
        None, description="Name of the Prefect Secret that holds the hub's token"
    )
    sha256: dict[str, Sha256] = Field(
        default_factory=dict, description="Digests that files must have, by file name"
    )

    @field_validator("source", "model", "endpoint")
    @classmethod
    def _holds_no_password(cls, address: str | None) -> str | None:
        """Refuse what manifests, reports and logs would show; the message does not repeat it."""
        if address is not None and "@" in address and _has_password(address):
            raise ValueError("there is a password in the address: use token_secret or HF_TOKEN instead")
        return address


def _has_password(address: str) -> bool:
    try:
        return urlsplit(address).password is not None
    except ValueError:  # no address at all, which whoever opens it says
        return False


class Convert(Section):
    """How the weights are written for MindSpore."""

    format: FileFormat = Field("ckpt", description="File format of the weights")
    dtype: Dtype = Field("keep", description="Type to cast the weights to, or keep")
    verify: bool = Field(False, description="Read both checkpoints back and compare every tensor")


class Merge(Section):
    """How the trained checkpoint is written for MindSpore."""

    dtype: TrainedDtype = Field(
        "source",
        description="Type of the trained weights, which ranks hold in float32; source: as before training",
    )


class Export(Section):
    """How the trained checkpoint is written for Hugging Face."""

    dtype: TrainedDtype = Field(
        "source", description="Type of the weights; source: that of the checkpoint before training"
    )
