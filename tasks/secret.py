"""Keys and tokens that Prefect keeps: they are in no configuration, no log and no artifact."""

from __future__ import annotations

from modelcore.errors import MindrailError

__all__ = ["secret_value"]


def secret_value(name: str | None, *, key: str) -> str | None:
    """Return what a Secret of Prefect's server holds; None for no name.

    Args:
        name: of the block.
        key: the configuration key that named it, for the error.

    Raises:
        MindrailError: there is no secret of that name.
    """
    if name is None:
        return None
    from prefect.blocks.system import Secret

    try:
        block = Secret.load(name)
    except ValueError as error:  # as Prefect reports a block that does not exist
        raise MindrailError(
            "Prefect has no Secret of that name", where=f"{key}: {name}", fix="create it"
        ) from error
    assert isinstance(block, Secret)
    return str(block.get())
