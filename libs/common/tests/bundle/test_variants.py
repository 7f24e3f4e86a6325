"""The variant is told by instruction sets alone."""

from __future__ import annotations

from typing import Any

import pytest
from sg_common.bundle.spec import Variant
from sg_common.bundle.variants import choose
from sg_common.errors import BundleError

VNNI = frozenset({"avx2", "avx512_vnni"})
PLAIN = frozenset({"avx2"})


def variants(**entries: dict[str, Any]) -> dict[str, Variant]:
    return {name: Variant(file=f"{name}.onnx", sha256="0" * 64, **fields) for name, fields in entries.items()}


@pytest.mark.parametrize(
    ("entries", "features", "variant", "reason"),
    [
        ({"fp32": {}, "int8": {}}, VNNI, "int8", "this CPU has avx512_vnni"),
        ({"fp32": {}, "int8": {}}, frozenset({"asimddp"}), "int8", "this CPU has asimddp"),
        ({"fp32": {}, "int8": {}}, PLAIN, "fp32", "no eight-bit dot products"),
        ({"int8": {}}, PLAIN, "int8", "no eight-bit dot products"),
        ({"fp32": {}}, VNNI, "fp32", "the only variant"),
        ({"fp32": {}, "small": {}}, VNNI, "fp32", "the first in order"),
        ({"fp32": {}, "int8": {"auc_loss": 0.006}}, VNNI, "fp32", "int8 loses 0.006 of AUC, over 0.005"),
        ({"fp32": {}, "int8": {"probability_difference": 0.03}}, VNNI, "fp32", "int8 differs by 0.03 from fp32"),
        ({"fp32": {}, "int8": {"requires": ["amx_int8"]}}, VNNI, "fp32", "int8 needs amx_int8, which this CPU lacks"),
    ],
)
def test_the_order(entries: dict[str, Any], features: frozenset[str], variant: str, reason: str) -> None:
    choice = choose(variants(**entries), features)
    assert choice.variant == variant
    assert reason in choice.reason


def test_a_variant_is_taken_by_name_whatever_it_loses() -> None:
    assert choose(variants(fp32={}, int8={"auc_loss": 0.1}), PLAIN, "int8").variant == "int8"


@pytest.mark.parametrize(
    ("entries", "wanted", "sentence"),
    [
        ({"fp32": {}, "int8": {}}, "bf16", "which has fp32, int8"),
        ({"fp32": {"requires": ["amx_tile"]}}, "fp32", "fp32 needs amx_tile"),
        ({"fp32": {"requires": ["amx_tile"]}}, "auto", "no variant fits: fp32 needs amx_tile"),
    ],
)
def test_what_does_not_fit_is_refused(entries: dict[str, Any], wanted: str, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        choose(variants(**entries), PLAIN, wanted)
