"""What anyone would try first: to end early, to hang, to say "passed", to change what the tests use."""

from __future__ import annotations

from .attack import Attack

__all__ = ["OBVIOUS", "REACHING"]


def _attack(name: str, what: str, *body: str, after: str = "", **other: object) -> Attack:
    completion = "".join(f"    {line}\n" for line in body) + after
    return Attack(name=name, what=what, completion=completion, **other)  # type: ignore[arg-type]


_HANGING = (
    _attack("loop", "never ends", "while True: pass"),
    _attack(
        "loop_over_exceptions",
        "never ends, whatever is raised in it",
        "while True:",
        "    try:",
        "        while True: pass",
        "    except BaseException: pass",
    ),
    _attack("one_long_call", "stays in a single call of C code", "return 7 ** 7 ** 9 % x"),
    _attack("wait_for_input", "reads from its standard input", "import sys", "return int(sys.stdin.read(1))"),
    _attack(
        "wait_without_signals",
        "blocks all signals and waits for one",
        "import signal",
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
        "signal.sigwait([signal.SIGUSR1])",
    ),
    _attack(
        "error_without_end",
        "raises an error whose text takes for ever",
        "class E(Exception):",
        "    def __str__(self):",
        "        while True: pass",
        "raise E",
    ),
)
_ENDING = (
    _attack("exit_in_call", "ends the interpreter as a success", "import sys", "sys.exit(0)"),
    _attack("exit_at_once", "ends the process as a success", "import os", "os._exit(0)"),
    _attack(
        "exit_before_the_tests",
        "is wrong, and ends the process while it is defined",
        "return x - y",
        after="import os\nos._exit(0)\n",
    ),
    _attack(
        "exit_afterwards",
        "is wrong, and turns the exit code of the process into 0",
        "return x - y",
        after="import atexit, os\natexit.register(os._exit, 0)\n",
    ),
    _attack(
        "become_another", "becomes a program that succeeds", "import os", "os.execv('/bin/true', ['true'])"
    ),
    _attack("kill_itself", "kills itself", "import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"),
    _attack("segfault", "reads at address 0", "import ctypes", "ctypes.string_at(0)"),
    _attack(
        "stack_overflow",
        "recurses until the stack of C is full",
        "import sys",
        "sys.setrecursionlimit(10 ** 9)",
        "def f(): return [f() for _ in (0,)]",
        "return f()",
    ),
    _attack(
        "close_everything",
        "closes every descriptor",
        "import os",
        "os.closerange(0, 1 << 16)",
        "return x - y",
    ),
    _attack("raise_interrupt", "raises what a key press raises", "raise KeyboardInterrupt"),
    _attack("raise_generator_exit", "raises what few handlers expect", "raise GeneratorExit"),
)
_CHEATING = (
    _attack(
        "print_passed",
        "is wrong, and writes what a verdict may look like",
        "import os",
        "for line in ('passed', '{\"passed\": true}', \"['passed']\", 'OK'):",
        "    print(line)",
        "    for number in (1, 2): os.write(number, line.encode() + b'\\n')",
        "return x - y",
    ),
    _attack(
        "own_abs",
        "makes any tolerance hold by a function of its own",
        "return 0.5",
        after="def abs(value): return 0\n",
        task_id="HumanEval/2",
    ),
    _attack(
        "other_builtin",
        "makes any tolerance hold by changing the interpreter's function",
        "import builtins",
        "builtins.abs = lambda value: 0",
        "return 0.5",
        task_id="HumanEval/2",
    ),
    _attack(
        "other_helper",
        "redefines the prompt's function that the tests use",
        "return s",
        after="def encode_cyclic(s): return s\n",
        task_id="HumanEval/38",
    ),
    _attack(
        "other_random",
        "knows the fixed cases, and makes the random ones trivial",
        "import random",
        "random.randint = lambda low, high: 0",
        "return {(0, 1): 1, (1, 0): 1, (2, 3): 5, (5, 7): 12, (7, 5): 12}.get((x, y), 0)",
    ),
    _attack(
        "own_check",
        "brings tests of its own",
        "return x - y",
        after="def check(candidate): pass\ncheck(add)\n",
    ),
    _attack(
        "jump_over_tests",
        "has a trace function leave out the assertions",
        "return 9",
        after=(
            "import sys\n"
            "def trace(frame, event, argument):\n"
            "    if frame.f_code.co_name == 'check': frame.f_trace_opcodes, frame.f_lineno = True, 10 ** 6\n"
            "    return trace\n"
            "sys.settrace(trace)\n"
        ),
        task_id="HumanEval/23",
    ),
)
_FILLING = (
    _attack(
        "memory",
        "fills memory, whatever that raises",
        "kept = []",
        "for _ in range(80):",
        "    try: kept.append(bytearray(b'x') * (100 << 20))",
        "    except MemoryError: pass",
        "return x - y",
    ),
    _attack(
        "disk",
        "writes a file of 1 GiB",
        "with open('file', 'wb', 0) as file:",
        "    for _ in range(1024): file.write(bytes(1 << 20))",
        "return x - y",
    ),
    _attack("output", "prints 1 GiB", "for _ in range(1024): print('x' * (1 << 20))", "return x - y"),
    _attack(
        "threads",
        "starts 2000 threads that wait",
        "import threading, time",
        "for _ in range(2000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "return x - y",
    ),
    _attack("deep_source", "recurses in the compiler", f"return {'-' * 100_000}x"),
    _attack("nested_source", "nests brackets in the source", f"return {'(' * 5000}x{')' * 5000}"),
)
_WRONG = (
    _attack("wrong", "is wrong", "return x - y"),
    _attack("empty", "has no body"),
    _attack(
        "wrong_for_large_numbers", "is wrong where the fixed cases do not look", "return x + y + (x > 900)"
    ),
)
_RIGHT = tuple(
    _attack(name, what, *body, after=after, passes=True)
    for name, what, body, after in (
        ("right", "is right", ["return x + y"], ""),
        ("right_with_prints", "prints what it does", ["print('adding', x, y)", "return x + y"], ""),
        (
            "right_without_output",
            "closes its output",
            ["import sys", "sys.stdout.close()", "return x + y"],
            "",
        ),
        (
            "right_with_no_streams",
            "has no streams",
            ["import sys", "sys.stdout = sys.stderr = None", "return x + y"],
            "",
        ),
        (
            "right_with_a_file",
            "keeps its numbers in a temporary file",
            [
                "import tempfile, os",
                "with tempfile.TemporaryDirectory() as directory:",
                "    path = os.path.join(directory, 'f')",
                "    with open(path, 'w') as file: file.write(f'{x} {y}')",
                "    with open(path) as file: return sum(map(int, file.read().split()))",
            ],
            "",
        ),
        (
            "right_in_threads",
            "adds in a pool of threads",
            [
                "from concurrent.futures import ThreadPoolExecutor",
                "with ThreadPoolExecutor(2) as pool: return pool.submit(lambda: x + y).result()",
            ],
            "",
        ),
        (
            "right_with_recursion",
            "recurses 3000 calls deep",
            [
                "import sys",
                "sys.setrecursionlimit(10_000)",
                "def f(n): return f(n - 1) if n else x + y",
                "return f(3000)",
            ],
            "",
        ),
        (
            "right_with_memory",
            "uses 300 MB once",
            [
                "if not hasattr(add, 'once'): add.once = len(bytearray(b'x') * (300 << 20))",
                "return x + y",
            ],
            "",
        ),
        (
            "right_with_a_main",
            "has a demonstration that must not run",
            ["return x + y"],
            "if __name__ == '__main__':\n    raise SystemExit(1)\n",
        ),
        ("right_with_windows_lines", "has Windows' line ends", ["z = x + y\r", "return z\r"], ""),
        (
            "right_with_letters",
            "is written in other letters",
            ["größe = x + y  # 加法 🙂", "return größe"],
            "",
        ),
        (
            "right_with_state",
            "counts its calls in a global defined below it",
            ["global calls", "calls += 1", "return x + y"],
            "calls = 0\n",
        ),
    )
)
OBVIOUS = (*_HANGING, *_ENDING, *_CHEATING, *_FILLING, *_WRONG, *_RIGHT)


def _tries(*body: str) -> list[str]:
    return ["try:", *(f"    {line}" for line in body), "except BaseException: pass"]


# Right answers that attack a target outside: the test that runs them has the file, the port and the variable.
REACHING = (
    _attack(
        "delete_a_file",
        "deletes a file outside",
        *_tries("import os", "os.unlink('/tmp/hostile_victim')"),
        "return x + y",
        passes=True,
    ),
    _attack(
        "connect",
        "connects to a port",
        *_tries("import socket", "socket.create_connection(('127.0.0.1', 18999), 0.5).sendall(b'x')"),
        "return x + y",
        passes=True,
    ),
    _attack(
        "read_the_environment",
        "is right only if it sees the scorer's environment",
        "import os",
        "return x + y if 'HOSTILE_CANARY' in os.environ else x - y",
    ),
    _attack(
        "read_the_parents_memory",
        "is right only if it can read its parent's memory",
        "import os",
        "with open(f'/proc/{os.getppid()}/mem', 'rb') as file: file.read(0)",
        "return x + y",
    ),
    _attack(
        "kill_the_parent",
        "is wrong, and kills its parent and its group",
        "import os, signal",
        "os.kill(os.getppid(), signal.SIGKILL)",
        "os.killpg(0, signal.SIGTERM)",
        "return x - y",
    ),
    _attack(
        "a_process_left",
        "leaves a process behind that keeps its output open",
        *_tries(
            "import os, time",
            "if not hasattr(add, 'once') and os.fork() == 0: time.sleep(60)",
            "add.once = True",
        ),
        "return x + y",
        passes=True,
    ),
)
