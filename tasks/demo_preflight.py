"""What can be known of the demo before it generates its inputs; the pipeline's own checks follow then.

No Prefect here: the command line checks before it starts a server.
"""

from __future__ import annotations

from modelcore.config.data import Preprocess
from modelcore.config.evaluation import Generate
from modelcore.demo.config import Demo
from modelcore.demo.described_model import described_model
from tasks.preflight import preflight

__all__ = ["check_demo"]


def check_demo(config: Demo) -> None:
    """Check everything that does not need the generated files.

    Raises:
        MindrailError: something cannot work; the line names the key.
    """
    with described_model(config.first_programs) as directory:
        # Its baseline asks the benchmark's questions, too, which are yet to be generated.
        asking_nothing = config.model_copy(update={"baseline": False})
        preflight(asking_nothing, model=directory, leave_out=(Preprocess, Generate))
