"""The `mindrail` command: one file per command or command group, named after what the user types."""
