"""Which variant of a bundle this CPU runs: told by instruction sets alone, so that every start chooses the same.

A choice by timing made one clip score 0.288 or 0.259 from start to start. The order: int8 where the CPU multiplies
eight-bit integers natively (elsewhere it saturates or is slower), then fp32, then any other variant by its name, and
int8 without such instructions only where there is nothing else. Left out are variants that need instruction sets which
the CPU lacks, or whose answers are not those of fp32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sg_common.bundle.spec import Variant
from sg_common.errors import BundleError

EIGHT_BIT = ("avx512_vnni", "avx_vnni", "i8mm", "asimddp")
"""Dot products of eight-bit integers, as /proc/cpuinfo names them: x86, then Arm."""
ACCURACY_BUDGET = 0.005
"""AUC that a variant may lose."""
PROBABILITY_BUDGET = 0.02
"""How far a file's probability may lie from that of fp32."""


@dataclass(frozen=True)
class Choice:
    """The variant that runs, and why, in a few words."""

    variant: str
    reason: str


def choose(variants: Mapping[str, Variant], features: frozenset[str], wanted: str = "auto") -> Choice:
    """Choose by a CPU's instruction sets; `wanted` names a variant instead of `auto`.

    Raises:
        BundleError: no variant fits, or not the wanted one.
    """
    if wanted != "auto":
        if wanted not in variants:
            raise BundleError(f"variant {wanted} is not in the bundle, which has {', '.join(sorted(variants))}")
        if lacking := lacking_instructions(variants[wanted], features):
            raise BundleError(f"variant {wanted} {lacking}")
        return Choice(wanted, "asked for by name")
    native = next((name for name in EIGHT_BIT if name in features), None)
    rank = {"int8": 3 if native is None else 0, "fp32": 1}
    passed_over = [] if native or "int8" not in variants else ["int8 is not fast here: no eight-bit dot products"]
    for name in sorted(variants, key=lambda name: (rank.get(name, 2), name)):
        if refusal := lacking_instructions(variants[name], features) or _unlike_fp32(variants[name]):
            passed_over.append(f"{name} {refusal}")
        elif name == "int8" and native:
            return Choice(name, f"this CPU has {native}")
        else:
            first = "the only variant" if len(variants) == 1 else "the first in order"
            return Choice(name, "; ".join(passed_over) or first)
    raise BundleError(f"no variant fits: {'; '.join(passed_over)}")


def lacking_instructions(entry: Variant, features: frozenset[str]) -> str:
    """What a variant needs and the CPU has not, in words; empty where it runs."""
    missing = sorted(set(entry.requires) - features)
    return f"needs {', '.join(missing)}, which this CPU lacks" if missing else ""


def _unlike_fp32(entry: Variant) -> str:
    if entry.auc_loss > ACCURACY_BUDGET:
        return f"loses {entry.auc_loss:g} of AUC, over {ACCURACY_BUDGET:g}"
    if entry.probability_difference > PROBABILITY_BUDGET:
        return f"differs by {entry.probability_difference:g} from fp32, over {PROBABILITY_BUDGET:g}"
    return ""
