"""One file per step of the pipeline, each a Prefect task: inputs, key, retries and progress; no work."""
