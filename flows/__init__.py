"""What runs: one file per DAG, and in `cli` the `mindrail` command."""
