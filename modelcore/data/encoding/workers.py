"""Chunks examined by several processes, results in the chunks' order.

Each worker is a fresh interpreter (`python -m modelcore.data.encoding.workers`) fed through its pipes:
nothing is forked, so it is safe from any thread, and a worker ends with its parent (end of input; on
Linux also by a signal when the parent dies). The bytes on the pipes are pickles between parent and child
only.
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
SMALL = 16 << 20  # bytes of source below which starting workers costs more than it saves
FEW = 2  # processors that the threads of one process keep busy
AHEAD = 2  # chunks given to a worker beyond the one it is at


class _Chunk(Protocol):
    """A chunk of samples: what it holds is under `contents`."""

    @property
    def contents(self) -> Sequence[Any]: ...


ChunkType = TypeVar("ChunkType", bound=_Chunk)


def worker_count() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def suitable_workers(source: Path) -> int:
    """Return how many processes a source is worth: one where it is small, else one a processor.

    One process uses all processors too, by the tokenizers' own threads; on two processors that is faster.
    """
    large = source.is_file() and source.stat().st_size > SMALL
    return worker_count() if large and worker_count() > FEW else 1


def examine_all(
    chunks: Iterator[ChunkType], plan: Plan, examiner: Examiner, workers: int
) -> Generator[tuple[ChunkType, Examined], None, None]:
    """Yield each chunk with what was found out about it, in order.

    Args:
        chunks: read as workers become free; a few are held at a time.
        plan: what the workers' examiners are made of.
        examiner: one made of that plan, used in this process when `workers` is 1.
        workers: processes to use.

    Raises:
        StepFailed: a worker died.
        MindrailError: as the examiner raises.
    """
    if workers == 1:
        for chunk in chunks:
            yield chunk, examiner(chunk.contents)
        return
    with ExitStack() as stack:
        pool = [stack.enter_context(_worker(plan)) for _ in range(workers)]
        waiting: deque[tuple[ChunkType, _Worker]] = deque()
        for number, chunk in enumerate(chunks):
            if len(waiting) >= workers * AHEAD:
                yield _collect(*waiting.popleft())
            worker = pool[number % workers]
            worker.give(chunk.contents)
            waiting.append((chunk, worker))
        while waiting:
            yield _collect(*waiting.popleft())


def _collect(chunk: ChunkType, worker: _Worker) -> tuple[ChunkType, Examined]:
    return chunk, worker.take()


class _Worker:
    def __init__(self, process: subprocess.Popen[bytes], stdin: BinaryIO, stdout: BinaryIO) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self._outbox: deque[bytes] = deque()
        self._wake = threading.Condition()
        self._closed = False
        # Writing waits for the worker to read, which may wait for us to read: so writing has its own thread.
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._sender.start()

    def _send(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._outbox or self._closed)
                if not self._outbox:
                    return
                data = self._outbox.popleft()
            # A worker that has died is noticed, with its reason, where its answer is read.
            with suppress(BrokenPipeError):
                self._stdin.write(data)
                self._stdin.flush()

    def give(self, work: object) -> None:
        """Send something to the worker without waiting."""
        with self._wake:
            self._outbox.append(pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL))
            self._wake.notify()

    def take(self) -> Examined:
        """Wait for the next answer."""
        try:
            answer = pickle.load(self._stdout)  # written by our own child
        except (EOFError, pickle.UnpicklingError) as error:
            code = self._process.wait()
            raise StepFailed(
                f"a preprocessing worker died (exit code {code})", fix="is memory short?"
            ) from error
        if isinstance(answer, MindrailError):
            raise answer
        assert isinstance(answer, Examined)
        return answer

    def close(self) -> None:
        """Let the sender thread end; what is still to be sent is dropped."""
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
        # One process a core already: no threads within.
        "TOKENIZERS_PARALLELISM": "false",
        "RAYON_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "modelcore.data.encoding.workers", str(os.getpid())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert process.stdin and process.stdout
    worker = _Worker(process, process.stdin, process.stdout)  # type: ignore[arg-type]
    try:
        worker.give(plan)
        yield worker
    finally:
        worker.close()
        process.kill()
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()


def main() -> None:
    """Read a plan and then chunks from standard input, and write what is found to standard output."""
    _die_with(int(sys.argv[1]))
    stdin = sys.stdin.buffer
    # What anything prints must not get between the pickles.
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


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; end at once if that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
