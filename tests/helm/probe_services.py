"""What the services themselves say, for tests that run elsewhere: run with the services' environment.

Reads {"module": ..., "environment": {...}} objects on standard input, one list. Prints, for each, the settings that the
service reads from that environment, and the names in it that it does not know; the names of all metrics; and the HTTP
status of each failure, by its code.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from sg_common.errors import failures
from sg_common.observability import Metrics
from sg_common.service import installed_services
from sg_common.worker.metrics import WorkerMetrics


def read_settings(module: str, environment: dict[str, str]) -> dict[str, Any]:
    (service,) = (s for s in installed_services() if f"{s.kind}_analyzer" == module)
    for name in [name for name in os.environ if name.startswith("SG_")]:
        del os.environ[name]
    os.environ.update(environment)
    settings = service.settings()
    known = set()
    for name, field in type(settings).model_fields.items():
        alias = field.validation_alias
        choices = getattr(alias, "choices", None) or ([alias] if alias else [])
        known |= {f"SG_{name}".upper(), *(str(choice).upper() for choice in choices)}
    unknown = sorted(name for name in environment if name.startswith("SG_") and name not in known)
    return {"values": settings.model_dump(mode="json"), "unknown": unknown, "port": service.port}


def metric_names() -> list[str]:
    """Names as a scrape shows them."""
    metrics = Metrics("probe")
    WorkerMetrics(metrics)
    suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
    return sorted(
        family.name + suffix for family in metrics.registry.collect() for suffix in suffixes.get(family.type, [""])
    )


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    settings = [read_settings(item["module"], item["environment"]) for item in asked]
    statuses = {kind.code: kind.status for kind in failures()}
    print(json.dumps({"settings": settings, "metrics": metric_names(), "failures": statuses}))
