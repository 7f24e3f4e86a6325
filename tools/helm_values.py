"""Turn Terraform's outputs into values of the chart: terraform output -json | python3 helm_values.py --tag TAG.

Only Python's standard library. JSON is YAML, so that helm reads what is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def chart_values(outputs: dict[str, Any], tag: str) -> dict[str, Any]:
    """Values that values-eks.yaml derives from default names, as they really are.

    Raises:
        SystemExit: an output is missing; the infrastructure is older than this chart.
    """

    def value(name: str) -> Any:
        if name not in outputs:
            raise SystemExit(f"helm-values: Terraform has no output {name}; apply this version of terraform/ first")
        return outputs[name]["value"]

    accounts, roles, queues = value("service_accounts"), value("service_role_arns"), value("queue_urls")
    urls = value("repository_urls")
    registries = {url.rsplit("/", 1)[0] for url in urls.values()}
    if len(registries) != 1:
        raise SystemExit(f"helm-values: the images lie in different registries: {sorted(registries)}")
    return {
        "aws": {"accountId": value("account_id"), "region": value("region")},
        "image": {"registry": registries.pop(), "tag": tag},
        "storage": {"bucket": value("media_bucket")},
        "services": {
            service: {
                "image": {"repository": url.rsplit("/", 1)[1]},
                "queueUrl": queues[service],
                "serviceAccount": {"name": accounts[service], "roleArn": roles[service]},
            }
            for service, url in sorted(urls.items())
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", required=True, help="tag of the images")
    options = parser.parse_args()
    print(json.dumps(chart_values(json.load(sys.stdin), options.tag), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
