"""The OpenAI-compatible server over the generation engine, and what a chat in a terminal shares with it."""
