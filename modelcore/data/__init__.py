"""Training data: sources, prompts, tokenizers, rows and the MindRecord files they end in."""
