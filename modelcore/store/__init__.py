"""The store of artifacts, and what it rests on: downloads, journals, locks, atomic and durable output."""
