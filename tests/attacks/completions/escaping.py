"""Completions that try to reach outside: other processes, files, the network, privileges."""

from __future__ import annotations

from .attack import Attack

__all__ = ["ESCAPING"]

ESCAPING = (
    Attack(
        name="new_user_namespace",
        what="creates a user namespace in which it would be root",
        completion="""\
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    return x + y if libc.unshare(0x10000000) == 0 else None
""",
    ),
    Attack(
        name="mount_proc",
        what="mounts /proc",
        completion="""\
    import ctypes
    libc = ctypes.CDLL(None)
    return x + y if libc.mount(b'p', b'/tmp', b'proc', 0, None) == 0 else None
""",
    ),
    Attack(
        name="chroot_out",
        what="leaves its root directory",
        completion="""\
    import os
    os.chroot('.')
    return x + y
""",
    ),
    Attack(
        name="become_root",
        what="changes to user 0",
        completion="""\
    import os
    os.setuid(0) if os.getuid() else os.setgroups([0])
    os.open('/etc/shadow', 0)
    return x + y
""",
    ),
    Attack(
        name="ptrace_parent",
        what="traces its parent and the first processes",
        completion="""\
    import ctypes, os
    libc = ctypes.CDLL(None)
    return x + y if any(libc.ptrace(16, p, 0, 0) == 0 for p in (os.getppid(), 1, 2, 3)) else None
""",
    ),
    Attack(
        name="signal_everyone",
        what="sends SIGKILL to every process",
        completion="""\
    import os
    for pid in (-1, *range(2, 5000)):
        if pid != os.getpid():
            try: os.kill(pid, 9)
            except OSError: pass
    return x - y
""",
    ),
    Attack(
        name="signal_by_descriptor",
        what="has the kernel kill its parent when a descriptor becomes ready",
        completion="""\
    import fcntl, os
    r, w = os.pipe()
    fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid() or 1)
    fcntl.fcntl(r, 10, 9)
    fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)
    os.write(w, b'x')
    return x - y
""",
    ),
    Attack(
        name="limits_of_parent",
        what="lowers the limits of its parent",
        completion="""\
    import os, resource
    done = False
    for pid in (os.getppid(), 1, 2):
        try:
            if pid not in (0, os.getpid()):
                resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)); done = True
        except OSError: pass
    return x + y if done else None
""",
    ),
    Attack(
        name="raise_own_limits",
        what="raises its own limits",
        completion="""\
    import resource
    inf = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_AS, (inf, inf))
    return x + y
""",
    ),
    Attack(
        name="unix_socket",
        what="connects to a Unix socket",
        completion="""\
    import socket
    socket.socket(socket.AF_UNIX)
    return x + y
""",
    ),
    Attack(
        name="io_uring",
        what="opens an io_uring, whose operations no filter sees",
        completion="""\
    import ctypes
    libc = ctypes.CDLL(None)
    b = ctypes.create_string_buffer(120)
    return x + y if libc.syscall(425, 8, b) >= 0 else None
""",
    ),
    Attack(
        name="environment_block",
        what="is right only if it sees more than six environment variables",
        completion="""\
    import os
    return x + y if len(os.environ) > 6 else None
""",
    ),
    Attack(
        name="write_library",
        what="writes into the standard library",
        completion="""\
    import os, tempfile as t
    d = os.path.dirname(t.__file__)
    open(d + '/owned.py', 'w').write('x')
    return x + y
""",
    ),
    Attack(
        name="truncate_library",
        what="empties a file that it may only read",
        completion="""\
    import os, tempfile as t
    os.open(t.__file__, os.O_RDONLY | os.O_TRUNC)
    return x + y if os.path.getsize(t.__file__) == 0 else None
""",
    ),
    Attack(
        name="read_passwords",
        what="reads files of the machine",
        completion="""\
    for p in ('/etc/passwd', '/etc/hostname', '/proc/version', '/proc/self/environ', '/root', '/home'):
        try:
            open(p).read(); return x + y
        except OSError: pass
    return None
""",
    ),
    Attack(
        name="persist_between_samples",
        what="is right only if a file or a segment of an earlier sample is still there",
        completion="""\
    import os
    seen = os.path.exists('left-behind') or os.path.exists('/dev/shm/left-behind')
    for p in ('left-behind', '/dev/shm/left-behind'):
        try: open(p, 'w').write('x')
        except OSError: pass
    add.seen = getattr(add, 'seen', 0) or seen and not getattr(add, 'called', 0)
    add.called = 1
    return x + y if add.seen else None
""",
    ),
    Attack(
        name="link_out_of_scratch",
        what="leaves a link to a directory outside for the cleanup to follow",
        completion="""\
    import os
    os.symlink('/tmp', 'link') if not os.path.islink('link') else None
    return x - y
""",
    ),
    Attack(
        name="no_parent_death",
        what="asks not to be killed with its parent and sleeps",
        completion="""\
    import ctypes, time
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    time.sleep(100)
""",
    ),
    Attack(
        name="namespace_by_clone",
        what="creates a user namespace with clone, where unshare is refused",
        completion="""\
    import ctypes, os, platform, signal
    libc = ctypes.CDLL(None, use_errno=True)
    call = 56 if platform.machine() == 'x86_64' else 220
    child = libc.syscall(call, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return x + y if child > 0 else None
""",
    ),
    Attack(
        name="write_every_descriptor",
        what="writes an answer to every descriptor it may have inherited",
        completion="""\
    import os
    for descriptor in range(4, 1024):
        try:
            os.write(descriptor, b'\\0\\0\\0\\x0e{"value": true}')
            return x + y
        except OSError:
            pass
""",
    ),
    Attack(
        name="run_a_shell",
        what="runs a shell that signals every process",
        completion="""\
    import subprocess
    done = subprocess.run(['/bin/sh', '-c', 'kill -9 -1; echo done'], capture_output=True)
    return x + y if done.stdout else None
""",
    ),
    Attack(
        name="core_file",
        what="crashes after asking for a core file, which would hold its memory",
        completion="""\
    import ctypes, resource
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30))
    finally:
        ctypes.string_at(0)
""",
    ),
    Attack(
        name="terminal_in_reason",
        what="raises an error whose text moves the cursor, reverses the line and cannot be stored",
        completion="""\
    raise ValueError('\\x1b[2J\\x1b]0;owned\\x07\\u202e\\ud800\\r\\n' + 'x' * 10**6)
""",
    ),
    Attack(
        name="walk_back",
        what="walks back its frames and the objects of its process to the scorer's configuration",
        completion="""\
    import gc, sys
    gc.unfreeze()
    frame, names = sys._getframe(), set()
    while frame:
        names.add(frame.f_code.co_name)
        frame = frame.f_back
    found = names & {'run_zygote', '_score_jobs', 'fork', '_fork', '_become_completion'}
    kinds = {type(o).__name__ for o in gc.get_objects()}
    found |= kinds & {'Configuration', 'ZygoteClient', '_Zygote', '_Worker', 'Monitor'}
    return x + y if found else None
""",
    ),
    Attack(
        name="watch_files",
        what="watches by inotify which modules other processes open",
        completion="""\
    import ctypes, os
    libc = ctypes.CDLL(None)
    d = libc.inotify_init1(0)
    library = os.path.dirname(os.__file__).encode()
    return x + y if d >= 0 and libc.inotify_add_watch(d, library, 0xfff) >= 0 else None
""",
    ),
    Attack(
        name="datagram_by_path",
        what="sends a datagram, and with it a descriptor, to a socket of the machine by its path",
        completion="""\
    import array, socket
    sent = 0
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        try: a, b = socket.socketpair(socket.AF_UNIX, kind)
        except OSError: continue
        for path in ('/tmp/hostile_socket', '/run/systemd/journal/socket', '/dev/log'):
            for send in (lambda: a.sendto(b'x', path), lambda: a.sendmsg([b'x'], [], 0, path),
                    lambda: a.sendmsg([b'x'], [(1, 1, array.array('i', [0]))], 0, path)):
                try: sent += send() or 1
                except OSError as error: pass
    return x + y if sent else None
""",
    ),
    Attack(
        name="change_attributes",
        what="changes attributes of a file that it may only read, by old calls and by new ones",
        completion="""\
    import ctypes, fcntl, os
    libc = ctypes.CDLL(None, use_errno=True)
    path, done = os.__file__.encode(), 0
    b = ctypes.create_string_buffer(64)
    d = os.open(path, os.O_RDONLY)
    for number, args in ((463, (-100, path, 0, b'user.x', b, 32)), (466, (-100, path, 0, b'user.x')),
            (469, (-100, path, b, 24, 0)), (452, (-100, path, 0o777, 0)), (280, (-100, path, None, 0))):
        done += libc.syscall(number, *args) >= 0
    for request in (0x40086602, 0x401c5820, 0x40047602, 0x4004f50c):
        try: fcntl.ioctl(d, request, bytes(32)); done += 1
        except OSError: pass
    return x + y if done else None
""",
    ),
    Attack(
        name="calls_of_no_use",
        what="opens kernel objects of which no solution has need: keys, tracing, shared memory, handles",
        completion="""\
    import ctypes, platform
    libc = ctypes.CDLL(None, use_errno=True)
    b = ctypes.create_string_buffer(4096)
    calls = {447: (0,), 323: (1,), 321: (0, b, 128), 298: (b, 0, -1, -1, 0), 250: (0, 0, 0),
        248: (b'user', b'a', b'b', 1, -3), 434: (1, 0), 304: (-100, b, 0), 303: (-100, b'/', b, b, 0),
        300: (0, 0), 294: (0,), 253: (), 428: (-100, b'/', 1), 430: (b'proc', 0), 29: (0, 4096, 950),
        68: (0, 950), 64: (0, 1, 950), 240: (b'/x', 66, 511, 0), 206: (1, b), 135: (0x40000,),
        103: (3, b, 100), 153: (), 101: (0, 0, 0, 0), 188: (b'/usr', b'user.a', b'b', 1, 0), 308: (3, 0)}
    made = [n for n, a in calls.items() if platform.machine() == 'x86_64' and libc.syscall(n, *a) >= 0]
    return x + y if made else None
""",
    ),
    Attack(
        name="calls_of_tomorrow",
        what="makes every system call that is newer than the filter",
        completion="""\
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(447, 600):
        made = libc.syscall(number, -1, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 38
        if made and number not in (449, 452):
            return x + y
    return None
""",
    ),
)
