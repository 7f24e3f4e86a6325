"""Turn what a deployment knows into helm's values: terraform output -json | python3 helm_values.py --tag TAG.

--prometheus names a file with `kubectl get prometheuses -A -o json`: where there is a Prometheus, monitoring is turned
on, under the labels by which it selects. --for keda prints the values of KEDA's own chart instead.

Only Python's standard library. JSON is YAML, so that helm reads what is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

Values = dict[str, Any]


class Outputs:
    """Terraform's outputs.

    Raises:
        SystemExit: at the first use of one that is missing; the infrastructure is older than this chart.
    """

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            raise SystemExit(f"helm-values: Terraform has no output {name}; apply this version of terraform/ first")
        return self._found[name]["value"]


def chart_values(outputs: Outputs, tag: str, modes: list[str]) -> Values:
    """Values that values-eks.yaml derives from default names, as they really are.

    Raises:
        SystemExit: an output is missing, or the images lie in different registries.
    """
    accounts, roles, queues = outputs["service_accounts"], outputs["service_role_arns"], outputs["queue_urls"]
    urls = outputs["repository_urls"]
    registries = {url.rsplit("/", 1)[0] for url in urls.values()}
    if len(registries) != 1:
        raise SystemExit(f"helm-values: the images lie in different registries: {sorted(registries)}")
    return {
        "aws": {"accountId": outputs["account_id"], "region": outputs["region"]},
        "image": {"registry": registries.pop(), "tag": tag},
        "storage": {"bucket": outputs["media_bucket"]},
        "autoscaling": {"modes": modes},
        "services": {
            service: {
                "image": {"repository": url.rsplit("/", 1)[1]},
                "queueUrl": queues[service],
                "serviceAccounts": {
                    door: {"name": accounts[service][door], "roleArn": roles[service][door]}
                    for door in ("http", "worker")
                },
            }
            for service, url in sorted(urls.items())
        },
    }


def selected_by(prometheus: Values) -> dict[str, dict[str, str]]:
    """The labels by which a Prometheus selects monitors and rules, and nothing where it takes all."""
    spec = prometheus["spec"]
    return {
        what: (spec.get(selector) or {}).get("matchLabels") or {}
        for what, selector in (("serviceMonitor", "serviceMonitorSelector"), ("prometheusRule", "ruleSelector"))
    }


def monitoring_values(prometheus: Values) -> Values:
    """Monitoring of our chart, for a Prometheus object."""
    switches: Values = {what: {"enabled": True, "labels": labels} for what, labels in selected_by(prometheus).items()}
    return {
        "monitoring": {"namespace": prometheus["metadata"]["namespace"], "dashboard": {"enabled": True}, **switches}
    }


def keda_values(outputs: Outputs, prometheus: Values | None) -> Values:
    """Values of KEDA's chart: the role that reads the queues, and its metrics where something reads them."""
    values: Values = {"podIdentity": {"aws": {"irsa": {"enabled": True, "roleArn": outputs["keda_role_arn"]}}}}
    if prometheus:
        labels = selected_by(prometheus)["serviceMonitor"]
        monitor = {"enabled": True, "additionalLabels": labels}
        values["prometheus"] = {"operator": {"enabled": True, "serviceMonitor": monitor}}
    return values


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="chart", choices=("silver-guardian", "keda"), default="silver-guardian")
    parser.add_argument("--tag", default="", help="tag of the images (needed but for keda)")
    parser.add_argument("--modes", default="keda-sqs", help="autoscaling.modes, with commas")
    parser.add_argument("--prometheus", type=Path, help="kubectl get prometheuses -A -o json")
    options = parser.parse_args()
    if options.chart != "keda" and not options.tag:
        parser.error("--tag is needed")
    found = json.loads(options.prometheus.read_text())["items"] if options.prometheus else []
    prometheus = found[0] if found else None
    outputs = Outputs(json.load(sys.stdin))
    if options.chart == "keda":
        values = keda_values(outputs, prometheus)
    else:
        values = chart_values(outputs, options.tag, options.modes.split(","))
        values |= monitoring_values(prometheus) if prometheus else {}
    print(json.dumps(values, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
