"""The entry point: the command line with every command on it."""

from flows.cli import (  # noqa: F401  importing a module adds its commands
    bench,
    chat,
    cluster,
    compare,
    completion,
    config,
    convert,
    data,
    demo,
    deploy,
    doctor,
    download,
    environment,
    evaluate,
    finetune,
    import_config,
    init,
    inspect,
    launch,
    layout,
    merge,
    models,
    notify,
    past_runs,
    plan,
    predict,
    preprocess,
    pretrain,
    prompts,
    ranktable,
    reshard,
    results,
    run,
    score,
    serve,
    shard,
    store,
    tokenize,
    up,
)
from flows.cli.command import command_line, main

__all__ = ["command_line", "main"]

if __name__ == "__main__":
    main()
