"""The schema of every YAML a user may write, and how it is read."""
