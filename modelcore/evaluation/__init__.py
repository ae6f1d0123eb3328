"""Scoring of code models: benchmarks, prompt templates, extraction, isolated execution, pass@k, history.

Nothing here generates text and nothing here draws; `score.score` is the one entry a step needs.
"""
