"""One file a step of the road, each a Prefect task: inputs, key, retries and progress; no work."""
