"""Isolated execution of untrusted programs.

One *worker* process (`worker`) scores one sample at a time. For each it forks two processes:

    harness      runs the benchmark's tests (`harness`); trusted; holds the expected answers
    completion   runs the model's code (`completion`); untrusted; answers calls over a socket

Only plain data crosses between the two, as tagged JSON (`plain`, `wire`). The completion is forked from a
*zygote* (`zygote`): a warm interpreter that has never held a test, an answer or the caller's environment,
so the memory that the completion inherits contains none of them. What confines it is in `isolation` (the
level that the kernel allows), `root`, `landlock` and `seccomp`; `monitor` enforces the limits that the
kernel does not. `pool` starts the workers and distributes the samples.

A forked process copies every page that it or its parent writes to. Both are therefore forked from processes
that have already done everything that need not be done once per sample: warmed up (`start`, `warm_up`) and
dropped their privileges.

The modules below `pool` use the standard library only: the worker runs without site-packages.
"""
