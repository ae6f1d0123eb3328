"""A package that gives wrong results without a word is refused by name, with the reason and the way out."""

import sys

import pytest

from modelcore import versions
from modelcore.errors import MindrailError


def test_what_is_installed_here_is_accepted():
    versions.check_versions()


@pytest.mark.parametrize(
    ("name", "bound"), [("numpy", "<1"), ("safetensors", "<0.1"), ("no-such-package-as-this", "<2")]
)
def test_another_version_is_refused_with_its_reason(monkeypatch, name, bound):
    monkeypatch.setitem(versions._BOUNDS, name, (bound, "it gives wrong results"))
    with pytest.raises(MindrailError) as caught:
        versions.check_versions()
    assert str(caught.value).startswith(f"{name}: ")
    assert "make setup" in str(caught.value)
    assert caught.value.exit_code == 2


def test_another_python_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(MindrailError, match=r"this is Python 3\.9, mindrail needs 3\.10 to 3\.12"):
        versions.check_versions()
