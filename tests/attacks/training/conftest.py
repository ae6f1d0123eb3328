"""The small jobs of the tests of training."""

from tests.modelcore.training.conftest import compiled_steps, helpers, make_plan, shared_rows

__all__ = ["compiled_steps", "helpers", "make_plan", "shared_rows"]
