"""Training data: sources, tokenizers, encoding into rows, quality checks and MindRecord files."""
