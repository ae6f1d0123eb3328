"""Where the repository and the real data beside it lie."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = Path(os.environ.get("MINDRAIL_TEST_DATA", ROOT.parent / "shared" / "data"))
