"""Isolated execution of completions.

One *worker* process (`worker`) scores one sample at a time. For each it forks two processes:

    trial        runs the benchmark's tests (`trial`); trusted; holds the expected answers
    completion   runs the model's code (`completion`); untrusted; is asked for values over a socket

Only plain data crosses between the two, as tagged JSON (`plain`, `wire`). The completion is forked from a
*zygote* (`zygote`): a warm interpreter that has never seen a test, an answer or the caller's environment,
so there is nothing in the memory it inherits. What confines it is in `isolation` (the level the kernel
allows), `root`, `landlock` and `seccomp`. `pool` starts the workers and hands out the samples.

Every page that a forked process writes to is copied, and its parent's pages too, so both are forked from
processes that have done all they can (`start`, `rehearsal`) and given up all they can beforehand.

The modules below `pool` use the standard library only: the worker runs without site-packages.
"""
