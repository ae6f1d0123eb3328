"""What one completion may use. Does not enforce anything."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "MIB", "Limits"]

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The limits of one sample; they are recorded with every score.

    Args:
        seconds: CPU seconds of the completion and its tests together, and, apart from that, seconds
            in which neither runs nor waits for a processor (sleeping, blocked). Time spent waiting
            for a processor, or taken from it by another guest of the host, counts for neither, so load
            does not change a verdict.
        memory: bytes of private memory of a process, and of resident memory of all of them.
        processes: processes and threads of the completion.
        open_files: open descriptors of a process.
        file_bytes: bytes of one file it writes.
        disk: bytes of its whole scratch directory.
        answer: bytes of one value that it returns.
        source: characters of the program; a longer one does not compile.
        packages: importable packages beside the standard library (those installed).
    """

    seconds: float = 3.0
    memory: int = 1024 * MIB
    processes: int = 128
    open_files: int = 128
    file_bytes: int = 64 * MIB
    disk: int = 128 * MIB
    answer: int = 16 * MIB
    source: int = 1_000_000
    packages: tuple[str, ...] = ("numpy",)


DEFAULT_LIMITS = Limits()
