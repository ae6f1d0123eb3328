"""The small jobs of the tests of training."""

from tests.modelcore.training.conftest import helpers, make_plan, shared_rows

__all__ = ["helpers", "make_plan", "shared_rows"]
