"""Completions that use up time, memory, disk, descriptors or processes."""

from __future__ import annotations

from .attack import Attack

__all__ = ["EXHAUSTING"]

EXHAUSTING = (
    Attack(
        name="fork_bomb",
        what="forks without end, in every child",
        completion="""\
    import os
    while True:
        try: os.fork()
        except OSError: pass
""",
    ),
    Attack(
        name="daemon",
        what="leaves a process behind that has left its session and parent",
        completion="""\
    if getattr(add, 'done', 0): return x - y
    add.done = 1
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(300)
        os._exit(0)
    return x - y
""",
    ),
    Attack(
        name="memory_in_children",
        what="has 30 children that hold 200 MB each",
        completion="""\
    if getattr(add, 'done', 0): return x - y
    add.done = 1
    import os, time
    for _ in range(30):
        if os.fork() == 0:
            b = bytearray(b'x') * (200 << 20)
            time.sleep(60)
    time.sleep(60)
""",
    ),
    Attack(
        name="memory_in_shared_maps",
        what="maps 4 GB of shared memory and touches it",
        completion="""\
    import mmap
    keep = []
    for _ in range(40):
        m = mmap.mmap(-1, 100 << 20)
        for i in range(0, 100 << 20, 4096): m[i] = 1
        keep.append(m)
    return x - y
""",
    ),
    Attack(
        name="memory_files",
        what="keeps memory in anonymous files",
        completion="""\
    import os
    fd = os.memfd_create('x')
    return x + y
""",
    ),
    Attack(
        name="disk_in_many_files",
        what="writes 1 GB in files of 32 MB",
        completion="""\
    import os
    for i in range(32):
        with open(f'f{i}', 'wb') as f:
            for _ in range(32): f.write(b'x' * (1 << 20))
    return x + y
""",
    ),
    Attack(
        name="many_files",
        what="creates files without end",
        completion="""\
    i = 0
    while True:
        open(f'f{i}', 'w').close()
        i += 1
""",
    ),
    Attack(
        name="deep_directories",
        what="nests directories 2,000 levels deep",
        completion="""\
    if getattr(add, 'done', 0): return x - y
    add.done = 1
    import os
    for _ in range(2000):
        os.mkdir('d', 0o700)
        os.chdir('d')
    return x - y
""",
    ),
    Attack(
        name="descriptors",
        what="opens files without closing them",
        completion="""\
    keep = []
    while True:
        keep.append(open('/dev/null'))
""",
    ),
    Attack(
        name="busy_threads",
        what="uses processor time in 50 threads that block all signals",
        completion="""\
    import threading, signal
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    def f():
        while True: pass
    [threading.Thread(target=f).start() for _ in range(50)]
    while True: pass
""",
    ),
    Attack(
        name="ignore_cpu_signal",
        what="ignores the signal of the CPU limit",
        completion="""\
    import signal
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True: pass
""",
    ),
    Attack(
        name="regex_bomb",
        what="runs a regular expression that backtracks without end",
        completion="""\
    import re
    re.match('(a+)+$', 'a' * 60 + 'b')
    return x - y
""",
    ),
    Attack(
        name="compile_bomb",
        what="is source whose compilation needs much memory",
        completion="    return 0\na = " + "[" * 90 + "]" * 90 + "\nb = (" + "1," * 100_000 + ")\n",
    ),
    Attack(
        name="constant_bomb",
        what="has constants that fold into large ones",
        completion="""\
    return (((((9 ** 999) ** 99) ** 9) ** 9) ** 9) or ('a' * 4000 * 4000)
""",
    ),
    Attack(
        name="null_bytes",
        what="has null bytes in its source",
        completion="    return x + y\n\x00",
    ),
    Attack(
        name="no_function",
        what="defines the function of the prompt and deletes it",
        completion="""\
    return x + y

del add
""",
    ),
    Attack(
        name="break_interpreter",
        what="empties sys.modules and replaces built-in functions",
        completion="""\
    return x - y

import sys, builtins
sys.modules.clear()
for n in ('len', 'isinstance', 'type', 'getattr', 'range'):
    setattr(builtins, n, lambda *a: True)
""",
    ),
    Attack(
        name="time_in_unwaited_children",
        what="uses processor time in children that nobody waits for",
        completion="""\
    import os, signal, time
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        if os.fork() == 0:
            end = time.process_time() + 0.02
            while time.process_time() < end:
                pass
            os._exit(0)
        time.sleep(0.005)
""",
    ),
    Attack(
        name="lowest_priority",
        what="runs at the lowest priority, so that it mostly waits for a processor",
        completion="""\
    import os
    os.nice(19)
    while True:
        pass
""",
    ),
    Attack(
        name="stop_itself",
        what="stops itself and waits to be continued",
        completion="""\
    import os, signal, threading, time
    os.kill(os.getpid(), signal.SIGSTOP)
    threading.Event().wait()
""",
    ),
    Attack(
        name="many_timers",
        what="creates timers without end",
        completion="""\
    import ctypes
    libc, timer = ctypes.CDLL(None), ctypes.c_void_p()
    while True:
        if libc.timer_create(0, None, ctypes.byref(timer)) != 0:
            raise OSError('no more timers')
""",
    ),
    Attack(
        name="pipe_memory",
        what="fills pipes of the largest size",
        completion="""\
    import fcntl, os
    while True:
        _, end = os.pipe()
        os.set_blocking(end, False)
        fcntl.fcntl(end, 1031, 1 << 20)
        os.write(end, bytes(1 << 20))
""",
    ),
)
