"""What can be known of the demo before it generates its inputs; the pipeline's own checks follow then.

No Prefect here: the command line checks before it starts a server.
"""

from __future__ import annotations

from modelcore.demo.config import Demo
from modelcore.demo.described_model import described_model
from modelcore.evaluation.templates import template
from tasks.layout import check_layout
from tasks.preflight import check_resume_from

__all__ = ["check_demo"]


def check_demo(config: Demo) -> None:
    """Check everything that does not need the generated files.

    Raises:
        MindrailError: heads, layers or widths do not divide as the layout asks, there is no such template, or
            no such directory to resume from.
    """
    with described_model(config.first_programs) as directory:
        check_layout(directory, config.parallel)
    check_resume_from(config)
    template(config.generate.template)
