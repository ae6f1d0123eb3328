"""The entry point: the command line with every command on it."""

from flows.cli import (  # noqa: F401  importing a module adds its commands
    compare,
    config,
    convert,
    data,
    demo,
    deploy,
    download,
    environment,
    evaluate,
    finetune,
    inspect,
    launch,
    layout,
    merge,
    models,
    plan,
    preprocess,
    pretrain,
    prompts,
    ranktable,
    reshard,
    results,
    run,
    score,
    shard,
    store,
    tokenize,
)
from flows.cli.command import command_line, main

__all__ = ["command_line", "main"]

if __name__ == "__main__":
    main()
