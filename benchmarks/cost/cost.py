"""Makes docs/cost.md: what a node, an idle cluster and a thousand clips cost.

    python -m benchmarks.cost.cost [--check]    (`make bench-cost`; --check fails if the page is not current)

Prices come from prices.toml, quantities from the defaults of terraform/variables*.tf, and CPU seconds per clip from
every file in benchmarks/results/ that has a list "clips"; what a request costs comes from requests.json there. Needs
Python alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS

ROOT = Path(__file__).resolve().parents[2]
PRICES = Path(__file__).with_name("prices.toml")
PAGE = ROOT / "docs" / "cost.md"

Prices = Mapping[str, Any]


def terraform_default(name: str) -> Any:
    """The default of a root variable of the Terraform configuration: a number, string, switch or list of strings.

    Raises:
        LookupError: no variable of that name has a default that reads as JSON.
    """
    for path in sorted((ROOT / "terraform").glob("variables*.tf")):
        block = re.search(rf'^variable "{re.escape(name)}" {{\n(.*?)^}}', path.read_text(), re.MULTILINE | re.DOTALL)
        default = re.search(r"^  default +=(.*)$", block.group(1), re.MULTILINE) if block else None
        if default:
            return json.loads(default.group(1))
    raise LookupError(f"terraform variable {name}")


@dataclass(frozen=True)
class Line:
    """One line of the idle bill. `price` in USD per unit and hour."""

    what: str
    count: float
    price: float

    @property
    def per_hour(self) -> float:
        return self.count * self.price


def idle_bill(prices: Prices) -> list[Line]:
    """What runs while nobody asks for anything, from Terraform's defaults."""
    rates, hours = prices["always_on"], prices["hours_per_month"]
    zones = len(terraform_default("availability_zones"))
    nodes = terraform_default("general_min_size")
    gateways = zones if terraform_default("nat_gateway_per_zone") else 1
    endpoints = len(terraform_default("interface_endpoints"))
    node_type = terraform_default("general_instance_types")[0]
    return [
        Line("EKS control plane", 1, rates["eks_control_plane_per_hour"]),
        Line(f"General nodes ({node_type}, on demand)", nodes, rates["general_node_per_hour"]),
        Line("Their disks, GiB", nodes * terraform_default("general_disk_gib"), rates["gp3_per_gib_month"] / hours),
        Line("NAT gateway", gateways, rates["nat_gateway_per_hour"]),
        Line("Its public address", gateways, rates["public_ipv4_per_hour"]),
        Line(f"Interface endpoints ({endpoints} in {zones} zones)", endpoints * zones,
             rates["interface_endpoint_per_hour"]),
        Line("KMS keys", 2, rates["kms_key_per_month"] / hours),
        Line("ML Spot nodes", terraform_default("ml_spot_min_size"),
             spot_price(prices, terraform_default("ml_spot_instance_types")[0])),
    ]  # fmt: skip


def spot_price(prices: Prices, instance_type: str) -> float:
    """USD an hour."""
    on_demand: float = prices["ml_nodes"][instance_type]["on_demand_per_hour"]
    discount: float = prices["spot"]["discount"]
    return on_demand * (1 - discount)


def clips_per_hour(prices: Prices, instance_type: str, cpu_seconds: float) -> float:
    """Clips that one node judges in an hour, at `cpu_seconds` a clip."""
    busy: float = prices["ml_nodes"][instance_type]["vcpu"] * prices["use"]["cpu_utilisation"]
    return 3600 * busy / cpu_seconds


def figures() -> list[dict[str, Any]]:
    """Measured clips, each with service, clip, cpu_seconds, model, measured and machine."""
    found: list[dict[str, Any]] = []
    for path in sorted(RESULTS.glob("*.json")):
        document = json.loads(path.read_text())
        if isinstance(document, dict) and "clips" in document:
            found += [clip | {k: document[k] for k in ("measured", "machine", "by")} for clip in document["clips"]]
    return found


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; every column but the first is numbers."""
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def nodes_section(prices: Prices) -> str:
    hours, discount = prices["hours_per_month"], prices["spot"]["discount"]
    types = terraform_default("ml_spot_instance_types")
    rows = []
    for name in types:
        node = prices["ml_nodes"][name]
        dear, cheap = node["on_demand_per_hour"], spot_price(prices, name)
        rows.append([f"`{name}`", str(node["vcpu"]), str(node["memory_gib"]), f"{dear:.3f}", f"{cheap:.3f}",
                     f"{dear * hours:.2f}", f"{cheap * hours:.2f}"])  # fmt: skip
    most = terraform_default("ml_spot_max_size")
    dearest = max(spot_price(prices, name) for name in types)
    return f"""## A node

Spot at {discount:.0%} off; USD an hour and, if it ran all month ({hours} h), a month.

{table(["Type", "vCPU", "GiB", "On demand/h", "Spot/h", "On demand/month", "Spot/month"], rows)}

The Spot group stops at {most} nodes (`ml_spot_max_size`): at most {most * dearest:.2f} USD an hour, if all were the
dearest type, against {most * dearest / (1 - discount):.2f} on demand."""


def idle_section(prices: Prices) -> str:
    hours = prices["hours_per_month"]
    bill = idle_bill(prices)
    total = sum(line.per_hour for line in bill)
    rows = [[line.what, f"{line.count:g}", f"{line.per_hour:.4f}", f"{line.per_hour * hours:.2f}"] for line in bill]
    rows.append(["**Total**", "", f"**{total:.4f}**", f"**{total * hours:.2f}**"])
    first = terraform_default("ml_spot_instance_types")[0]
    on_demand = prices["ml_nodes"][first]["on_demand_per_hour"]
    extended = prices["always_on"]["eks_extended_support_per_hour"] - prices["always_on"]["eks_control_plane_per_hour"]
    zones = len(terraform_default("availability_zones"))
    endpoint = prices["always_on"]["interface_endpoint_per_hour"] * hours * zones
    worth = endpoint / (prices["always_on"]["nat_per_gb"] - prices["always_on"]["interface_endpoint_per_gb"])
    spare = bill[1].price * hours
    another = (prices["always_on"]["nat_gateway_per_hour"] + prices["always_on"]["public_ipv4_per_hour"]) * hours
    return f"""## The bill of idle

What stays on when nobody asks for anything, at Terraform's defaults and the prices of {prices["region"]}. The services
themselves scale to zero.

{table(["What", "Count", "USD/h", "USD/month"], rows)}

One `{first}` that never sleeps would add {on_demand * hours:.2f} USD a month on demand, or
{spot_price(prices, first) * hours:.2f} on Spot. Logs, stored objects and traffic come on top, by use.

To lower it: `general_min_size = 1` saves {spare:.2f} USD a month and loses the spare for CoreDNS and KEDA.

To raise it for a purpose: `nat_gateway_per_zone = true` adds {another:.2f} for each further zone, and the loss of one
no longer takes the others' way to AWS. Each of `interface_endpoints` costs {endpoint:.2f} in {zones} zones and pays for
itself above {worth:.0f} GB a month that would go through NAT; media and image layers use S3's free endpoint either way.
A Kubernetes version past standard support adds {extended * hours:.2f};
`kubernetes_support_type = "STANDARD"` upgrades instead."""


def clips_section(prices: Prices) -> str:
    measured = figures()
    if not measured:
        return "## A thousand clips\n\nNot measured yet: `make bench-cost-measure`."
    rows = []
    for clip in measured:
        for name in terraform_default("ml_spot_instance_types"):
            rate = clips_per_hour(prices, name, clip["cpu_seconds"])
            on_demand = prices["ml_nodes"][name]["on_demand_per_hour"]
            rows.append([clip["service"], f"`{name}`", f"{rate:,.0f}", f"{1000 * on_demand / rate:.4f}",
                         f"{1000 * spot_price(prices, name) / rate:.4f}"])  # fmt: skip
    basis = "\n".join(
        f"- {c['service']}: **{c['cpu_seconds']:g} CPU seconds** for {c['clip']} ({c['model']}); {c['by']}, "
        f"{c['measured']}, {c['machine']}."
        for c in measured
    )
    missing = {"audio-analyzer", "video-analyzer"} - {clip["service"] for clip in measured}
    absent = "".join(f"\n- {service}: not measured yet." for service in sorted(missing))
    return f"""## A thousand clips

Measured:

{basis}{absent}

With {prices["use"]["cpu_utilisation"]:.0%} of a busy node's CPU doing analyses (`cpu_utilisation` in the price list,
an assumption), and its vCPU as fast as the measured one:

{table(["Service", "Node", "Clips/h and node", "USD per 1000, on demand", "USD per 1000, Spot"], rows)}

Speech costs in proportion to its length; a video's cost is bounded by its frame budget. Media reach the nodes through
the free S3 endpoint; through NAT they would cost {prices["always_on"]["nat_per_gb"]:.3f} USD more per GB."""


STAGES = {
    "start": "start of the decoder",
    "decode": "decode",
    "find": "find speech or faces",
    "model": "model",
    "rest": "rest",
}


def requests_section() -> str:
    """What one request costs, from benchmarks/results/requests.json."""
    path = RESULTS / "requests.json"
    if not path.is_file():
        return "## A request\n\nNot measured yet: `make bench-requests`."
    measured = json.loads(path.read_text())
    start, idle = measured["start_milliseconds"], measured["idle_megabytes"]
    imports = start["import av, numpy"]
    starts = [[name, f"{value:.1f}", f"{value / imports:.0%}"] for name, value in start.items()]
    split = [
        [clip, *(f"{stages[name]:.0f}" for name in STAGES), f"{sum(stages.values()):.0f}"]
        for clip, stages in measured["stage_milliseconds"].items()
    ]
    answers = [
        [answer["clip"], answer["children"], str(answer["callers"]), f"{answer['cpu_seconds']:.3f}",
         f"{answer['median_seconds']:.3f}", f"{answer['p95_seconds']:.3f}", f"{answer['per_second']:.1f}"]
        for answer in measured["requests"]
    ]  # fmt: skip
    memory = [[f"{kind}-analyzer", f"{row['service']:.0f}", f"{row['zygote']:.0f}"] for kind, row in idle.items()]
    return f"""## A request

{measured["by"]}, {measured["measured"]}, {measured["machine"]}. Compare within a table: a busy machine takes more of
everything.

What a [decoder process](decoding.md) costs beyond its decoding, CPU milliseconds:

{table(["", "ms", "of the import"], starts)}

Where the CPU milliseconds of a request go, the decoder process forked:

{table(["Clip", *STAGES.values(), "all"], split)}

Requests by upload, their decoder processes forked or started afresh:

{table(["Clip", "Decoders", "Callers", "CPU s", "Median s", "p95 s", "Answers/s"], answers)}

Memory of a service that has judged nothing yet, MB, shared pages counted once:

{table(["Service", "Itself", "Parent of decoders"], memory)}"""


def page(prices: Prices) -> str:
    """The whole of docs/cost.md."""
    return f"""# What it costs

<!-- Made by `make bench-cost` from benchmarks/cost/prices.toml, Terraform's defaults and benchmarks/results/. -->

List prices of {prices["region"]}, recorded {prices["recorded"]}; Spot discount recorded {prices["spot"]["recorded"]}.
Other regions, {terraform_default("region")} among them, charge more:
put yours into `benchmarks/cost/prices.toml` and run `make bench-cost`.

{nodes_section(prices)}

{idle_section(prices)}

{clips_section(prices)}

{requests_section()}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not current")
    options = parser.parse_args()
    made = page(tomllib.loads(PRICES.read_text()))
    if not options.check:
        PAGE.write_text(made)
        return 0
    if not PAGE.is_file() or PAGE.read_text() != made:
        print("docs/cost.md is not current: make bench-cost", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
