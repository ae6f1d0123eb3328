"""What runs: one file a DAG, and the `mindrail` command."""
