"""Writes docs/bundle.md and docs/model.schema.json from the classes that read `model.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sg_common.bundle.spec import ANY_SPEC, Spec

from tools.pages import finish

DOCS = Path(__file__).resolve().parents[1] / "docs"

HEAD = """# Model bundles

A bundle is a folder with `model.json`, its ONNX files, a golden input and a card. `SG_MODEL_DIR` points a service at
another one ([development.md](development.md)), so that a better detector is a change of configuration, not a release.
This page and [`model.schema.json`](model.schema.json), the JSON Schema for editors, are written by `make docs` from the
classes that read `model.json`.

```
silver-guardian model check DIR     # every file, and the golden input by every variant that this CPU can run
silver-guardian model inspect DIR   # what it is, which variant runs here and why, thresholds, cost
```

What is not in these tables is refused, and so is a graph or a golden input that contradicts them: at start, with a
sentence that names the field. A service runs the golden input once, by the variant that it serves.

**Which variant runs** is told by the CPU's instruction sets alone, so that every start on the same type of CPU gives
the same answers: int8 where the CPU has dot products of eight-bit integers (`avx512_vnni`, `avx_vnni`, on Arm `i8mm` or
`asimddp`), then fp32, then any other variant by its name, and int8 without such instructions only where there is
nothing else. A variant is passed over where the CPU lacks what it `requires`, where it loses more than 0.005 of AUC
(`auc_loss`), or where it moves a file's probability by more than 0.02 (`probability_difference`, as
`python -m benchmarks.variants` measures it). `SG_MODEL_VARIANT` names one instead. `/ready`, the metric
`silver_guardian_model_info` and `model inspect` say which runs and why.

**Probability** = sigmoid(logit / temperature + bias), to four digits. `thresholds` make verdicts of it; they are those
of the default policy, `low_false_alarm`. `operating_points` may say, for each policy, other thresholds and what they
are worth.

**Voices.** `speech` and `stretches` of an `audio-deepfake` bundle make its probabilities know how much they rest on. An
entry of `speech` stands in for the common temperature and bias from its `seconds` of speech on. A stretch of n of the
file's N windows has the evidence

    level + (mean logit - level) * sqrt((between + within) / (between + within / n)) - chances * log(N / n)

and the probability sigmoid(evidence / temperature + bias). It counts for its voice from `doubtful` on and is named
from 0.5 on, or from where the policy calls it if that is less; [audio.md](audio.md) says how.
`python -m training.audio calls` measures both ([own-detector.md](own-detector.md)).

**Faces.** `face_size` of a `face-manipulation` bundle takes out of each face's logit, before any are joined, how far it
follows the size at which the face is shown:

    logit - slope * log(pixels / sqrt(smallest * largest))

where `pixels` is the longer side of the face's box in the frame as it was judged, from `smallest` to `largest`.
`make calibrate-video` measures it on clips before and after they were shrunk.
"""


def rows(schema: dict[str, Any], definitions: dict[str, Any], place: str = "") -> Iterator[str]:
    """A line of the table for each field, objects opened."""
    for name, field in schema.get("properties", {}).items():
        variants = [entry for entry in field.get("anyOf", [field]) if entry.get("type") != "null"]
        inner, many = _object(variants[0], definitions)
        path = f"{place}{name}"
        if inner is None or not inner.get("properties"):
            needed = "" if name in schema.get("required", ()) else f"`{json.dumps(field.get('default'))}`"
            yield f"| `{path}` | {_type(variants[0])} | {needed} | {field.get('description', '')} |"
        else:
            yield from rows(inner, definitions, path + many + ".")


def _object(field: dict[str, Any], definitions: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The object that a field holds, if any, and how its place continues where there are many of them."""
    for holder, many in ((field, ""), (field.get("additionalProperties"), ".*"), (field.get("items"), "[]")):
        if isinstance(holder, dict) and "$ref" in holder:
            return definitions[holder["$ref"].rsplit("/", 1)[1]], many
    return None, ""


def _type(field: dict[str, Any]) -> str:
    allowed = field.get("enum", [field["const"]] if "const" in field else [])
    if allowed:
        return ", ".join(f"`{json.dumps(value)}`" for value in allowed)
    words = [str(field.get("type", ""))]
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    return " ".join(words + [f"{sign} {field[name]:g}" for name, sign in signs.items() if name in field])


def table(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    head = ["| field | value | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows(schema, definitions)]) + "\n"


def pages() -> dict[Path, str]:
    """Both files' texts."""
    schema = ANY_SPEC.json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "model.json of a bundle", **schema}
    definitions = schema["$defs"]
    common = Spec.model_fields.keys() - {"task", "input", "output", "calibration"}
    parts = [HEAD]
    for number, (task, reference) in enumerate(schema["discriminator"]["mapping"].items()):
        own = dict(definitions[reference.rsplit("/", 1)[1]])
        properties = {name: field for name, field in own["properties"].items() if name != "task"}
        names = {"schema" if name == "schema_version" else name for name in common}
        if number == 0:
            shared = {name: field for name, field in properties.items() if name in names}
            parts += ["## Every bundle\n", table({**own, "properties": shared}, definitions)]
        own["properties"] = {name: field for name, field in properties.items() if name not in names}
        parts += [f"## `{task}`\n", f"{own['description']}\n", table(own, definitions)]
    return {
        DOCS / "bundle.md": "\n".join(parts),
        DOCS / "model.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
    }


if __name__ == "__main__":
    raise SystemExit(finish(pages()))
