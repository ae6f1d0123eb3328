"""The precision of a machine follows from its processor's flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.launching.processor import fastest_precision, processor_units


@pytest.mark.parametrize(
    ("flags", "units", "precision", "reason"),
    [
        ("fpu avx2 fma", ("avx2",), "fp32", "neither avx512_bf16 nor amx_bf16"),
        ("avx2 avx512f avx512_vnni", ("avx2", "avx512f"), "fp32", "neither avx512_bf16 nor amx_bf16"),
        ("avx512_bf16 avx2 avx512f", ("avx2", "avx512f", "avx512_bf16"), "bf16", "has avx512_bf16"),
        ("amx_bf16 amx_tile", ("amx_bf16",), "bf16", "has amx_bf16"),
        ("", (), "fp32", "neither"),
    ],
)
def test_bf16_is_chosen_where_its_products_are_in_hardware(
    flags: str, units: tuple[str, ...], precision: str, reason: str, tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: {flags}\n")
    assert processor_units(cpuinfo) == units
    chosen, why = fastest_precision(units)
    assert chosen == precision and reason in why


def test_a_system_without_cpuinfo_computes_in_fp32(tmp_path: Path) -> None:
    assert processor_units(tmp_path / "none") == ()
