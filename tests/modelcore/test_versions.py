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


def test_another_mindspore_is_refused_unless_the_switch_allows_it(monkeypatch, caplog):
    monkeypatch.setitem(versions._BOUNDS, "mindspore", ("==1.*", "it is old"))
    with pytest.raises(
        MindrailError, match="mindspore: .* is installed.*or set MINDRAIL_MINDSPORE=any to try it"
    ):
        versions.check_versions()
    monkeypatch.setenv("MINDRAIL_MINDSPORE", "any")
    versions.check_versions()
    assert "is not tested, ==1.* is; MINDRAIL_MINDSPORE=any allows it" in caplog.text
    monkeypatch.setenv("MINDRAIL_MINDSPORE", "2.7")
    with pytest.raises(MindrailError, match="MINDRAIL_MINDSPORE: '2.7', must be any or not set"):
        versions.check_versions()


def test_the_switch_allows_no_other_package(monkeypatch):
    monkeypatch.setenv("MINDRAIL_MINDSPORE", "any")
    monkeypatch.setitem(versions._BOUNDS, "numpy", ("<1", "it gives wrong results"))
    with pytest.raises(MindrailError, match=r"numpy: .*run `make setup`$"):
        versions.check_versions()


def test_what_manifests_record_names_the_switch_where_it_is_set(monkeypatch):
    assert list(versions.recorded_versions()) == ["mindspore"]
    monkeypatch.setenv("MINDRAIL_MINDSPORE", "any")
    assert versions.recorded_versions()["MINDRAIL_MINDSPORE"] == "any"
