"""Examines chunks in several processes; the results come in the chunks' order.

Each worker is a fresh interpreter (`python -m modelcore.data.encoding.workers`) that communicates through its
pipes: nothing is forked, so this is safe in any thread. A worker ends with its parent (at the end of its
input; on Linux also by a signal). The pipes carry pickles, between this process and its own children only.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from modelcore.data.encoding.examine import Examined, Examiner, Plan
from modelcore.errors import MindrailError, StepFailed

__all__ = ["examine_all", "suitable_workers", "worker_count"]

PR_SET_PDEATHSIG = 1
SMALL_SOURCE = 16 << 20  # bytes; for less, starting workers costs more time than it saves
BUSY_PROCESSORS = 2  # that the threads of one process use fully
CHUNKS_PER_WORKER = 2  # chunks that are sent to a worker in advance


class _Chunk(Protocol):
    """A chunk of samples."""

    @property
    def contents(self) -> Sequence[Any]: ...


ChunkType = TypeVar("ChunkType", bound=_Chunk)


def worker_count() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def suitable_workers(sources: Sequence[Path]) -> int:
    """Return the number of processes for some sources: one if they are small, else one per processor.

    One process uses several processors too, through the tokenizers' threads; on two that is faster.
    """
    large = sum(source.stat().st_size for source in sources if source.is_file()) > SMALL_SOURCE
    return worker_count() if large and worker_count() > BUSY_PROCESSORS else 1


def examine_all(
    chunks: Iterator[ChunkType], plan: Plan, examiner: Examiner, workers: int
) -> Generator[tuple[ChunkType, Examined], None, None]:
    """Yield each chunk with the result of examining it, in order.

    Args:
        chunks: consumed as workers become free; a few are in memory at a time.
        plan: of the workers' examiners.
        examiner: an examiner with that plan, used in this process if `workers` is 1.
        workers: number of processes.

    Raises:
        StepFailed: a worker died.
        MindrailError: raised by an examiner.
    """
    if workers == 1:
        for chunk in chunks:
            yield chunk, examiner(chunk.contents)
        return
    with ExitStack() as stack:
        pool = [stack.enter_context(_worker(plan)) for _ in range(workers)]
        waiting: deque[tuple[ChunkType, _Worker]] = deque()
        for number, chunk in enumerate(chunks):
            if len(waiting) >= workers * CHUNKS_PER_WORKER:
                yield _collect(*waiting.popleft())
            worker = pool[number % workers]
            worker.send(chunk.contents)
            waiting.append((chunk, worker))
        while waiting:
            yield _collect(*waiting.popleft())


def _collect(chunk: ChunkType, worker: _Worker) -> tuple[ChunkType, Examined]:
    return chunk, worker.receive()


class _Worker:
    def __init__(self, process: subprocess.Popen[bytes], stdin: BinaryIO, stdout: BinaryIO) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self._outbox: deque[bytes] = deque()
        self._wake = threading.Condition()
        self._closed = False
        # Writing may block until the worker reads, which may wait for this process to read: hence a thread.
        self._sender = threading.Thread(target=self._write_outbox, daemon=True)
        self._sender.start()

    def _write_outbox(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._outbox or self._closed)
                if not self._outbox:
                    return
                data = self._outbox.popleft()
            # `receive` reports a worker that has died, with its exit code.
            with suppress(BrokenPipeError):
                self._stdin.write(data)
                self._stdin.flush()

    def send(self, work: object) -> None:
        """Send work to the worker without blocking."""
        with self._wake:
            self._outbox.append(pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL))
            self._wake.notify()

    def receive(self) -> Examined:
        """Wait for the next result."""
        try:
            answer = pickle.load(self._stdout)  # written by our own child
        except (EOFError, pickle.UnpicklingError) as error:
            code = self._process.wait()
            raise StepFailed(
                f"a preprocessing worker died (exit code {code})", fix="check whether memory is short"
            ) from error
        if isinstance(answer, MindrailError):
            raise answer
        assert isinstance(answer, Examined)
        return answer

    def close(self) -> None:
        """Let the writing thread end; unsent work is dropped."""
        with self._wake:
            self._closed = True
            self._outbox.clear()
            self._wake.notify()


@contextmanager
def _worker(plan: Plan) -> Iterator[_Worker]:
    root = str(Path(__file__).parents[3])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        # There is one process per core already, so each has one thread.
        "TOKENIZERS_PARALLELISM": "false",
        "RAYON_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "modelcore.data.encoding.workers", str(os.getpid())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert process.stdin and process.stdout
    worker = _Worker(process, process.stdin, process.stdout)  # type: ignore[arg-type]
    try:
        worker.send(plan)
        yield worker
    finally:
        worker.close()
        process.kill()
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()


def main() -> None:
    """Read a plan and then chunks from standard input, and write the results to standard output."""
    _die_with_parent(int(sys.argv[1]))
    stdin = sys.stdin.buffer
    # Printed text must not get between the pickles.
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    examiner = Examiner(pickle.load(stdin))  # written by our own parent
    while True:
        try:
            contents = pickle.load(stdin)
        except EOFError:
            return
        try:
            answer: object = examiner(contents)
        except MindrailError as error:
            answer = error
        pickle.dump(answer, stdout, protocol=pickle.HIGHEST_PROTOCOL)
        stdout.flush()


def _die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; exit if that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
