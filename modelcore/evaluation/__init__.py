"""Scoring of code models: benchmarks, prompt templates, extraction, pass@k, history, comparison.

Nothing here generates text or draws plots; a step needs `score.score` only.
"""
