"""The Qwen2 family: Qwen2.5-Coder. It is llama with a bias on queries, keys and values."""
