"""The limits of one sample. Does not enforce them."""

from __future__ import annotations

from dataclasses import dataclass

from modelcore.config.limits import MEMORY_MB, TIMEOUT

__all__ = ["DEFAULT_LIMITS", "MIB", "Limits"]

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The limits of one sample; they are recorded with every score.

    Args:
        seconds: CPU seconds of the completion and its tests together; also, counted separately, seconds
            in which neither runs nor waits for a processor (sleeping, blocked). Time spent waiting for a
            processor, or taken by another guest of the host, counts towards neither, so that load does
            not change a verdict.
        memory: bytes of private memory of each process, and of resident memory of all of them.
        processes: processes and threads of the completion.
        open_files: open descriptors of each process.
        file_bytes: size of each file it writes, in bytes.
        disk: size of its whole scratch directory, in bytes.
        answer: size of each value that it returns, in bytes.
        source: length of the program in characters; a longer one counts as not compiling.
        packages: packages it may import besides the standard library, if they are installed.
    """

    seconds: float = TIMEOUT
    memory: int = MEMORY_MB * MIB
    processes: int = 128
    open_files: int = 128
    file_bytes: int = 64 * MIB
    disk: int = 128 * MIB
    answer: int = 16 * MIB
    source: int = 250_000
    packages: tuple[str, ...] = ("numpy",)


DEFAULT_LIMITS = Limits()
