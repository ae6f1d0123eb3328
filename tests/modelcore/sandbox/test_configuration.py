from __future__ import annotations

import json

from modelcore.sandbox.configuration import Configuration
from modelcore.sandbox.isolation import VisibleFiles
from modelcore.sandbox.limits import Limits


def test_a_configuration_arrives_equal_after_json() -> None:
    visible = VisibleFiles(read=("/lib", "/usr/lib"), masked=("/lib/x",), packages=(), search=("/p",))
    sent = Configuration(7, 8, "landlock", "/scratch", visible, Limits(seconds=1.5, packages=("a", "b")))
    received = Configuration.from_json(json.loads(json.dumps(sent.to_json())))
    assert received == sent
    assert hash(received) == hash(sent)  # tuples again, not lists
