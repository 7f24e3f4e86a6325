"""Scraping, alerts and the dashboard speak of metrics that exist, and the alerts fire when they should."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.chart import CHART, NAMESPACE, Object, render

DASHBOARD = json.loads((CHART / "dashboards" / "overview.json").read_text())
METRIC = re.compile(r"\b(silver_guardian_\w+|process_\w+)")
# From kube-state-metrics and KEDA's operator.
FOREIGN = {
    "kube_pod_info", "kube_pod_status_phase", "kube_node_spec_unschedulable", "kube_deployment_status_replicas_ready",
    "keda_scaler_metrics_value", "keda_scaler_active", "keda_scaled_object_errors_total",
    "keda_scaler_detail_errors_total",
}  # fmt: skip


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def metrics(ask_services: Callable[[list[Object]], Any]) -> set[str]:
    """Every metric that a server or a worker shows."""
    return set(ask_services([])["metrics"])


def queries() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def rules() -> list[Object]:
    (group,) = render("monitoring").of("PrometheusRule")[0]["spec"]["groups"]
    found: list[Object] = group["rules"]
    return found


def test_switches() -> None:
    kinds = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    assert not kinds & {item["kind"] for item in render("eks")}
    assert not any("dashboard" in name for name in render("eks").names("ConfigMap"))
    assert kinds <= {item["kind"] for item in render("monitoring")}
    for kind in kinds:
        assert render("monitoring").of(kind)[0]["metadata"]["labels"]["release"] == "prometheus"


def test_every_server_and_worker_is_scraped_once_under_its_services_name() -> None:
    manifests = render("monitoring")
    by_service = manifests.of("ServiceMonitor")[0]["spec"]
    by_pod = manifests.of("PodMonitor")[0]["spec"]
    services = [
        item["metadata"]["name"]
        for item in manifests.of("Service")
        if by_service["selector"]["matchLabels"].items() <= item["metadata"]["labels"].items()
    ]
    pods = [
        name
        for name, pod in manifests.pods().items()
        if by_pod["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    ]
    assert sorted(services) == ["audio-analyzer", "video-analyzer"]
    assert sorted(pods) == ["audio-analyzer-worker", "video-analyzer-worker"]
    for monitor, key in ((by_service, "endpoints"), (by_pod, "podMetricsEndpoints")):
        assert monitor[key] == [{"port": "http", "path": "/metrics", "interval": "30s"}]
        assert monitor["jobLabel"] == "app.kubernetes.io/name"
    for name in pods:
        label = manifests.pods()[name]["metadata"]["labels"]["app.kubernetes.io/name"]
        assert label == name.removesuffix("-worker")


# --- the dashboard ---


def test_the_dashboard_asks_for_metrics_that_exist(metrics: set[str]) -> None:
    asked = {name for query in queries() for name in METRIC.findall(query)}
    assert asked - metrics == set()


def test_the_dashboard_shows_every_metric_of_ours(metrics: set[str]) -> None:
    asked = {name for query in queries() for name in METRIC.findall(query)}
    ours = {name for name in metrics if name.startswith("silver_guardian_") and not name.endswith(("_sum", "_count"))}
    assert ours - asked == set()


def test_prometheus_understands_the_dashboard(tmp_path: Path) -> None:
    texts = [query.replace("$__rate_interval", "5m").replace("$job", ".+") for query in queries()]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(texts)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "rules.yaml"))


def test_the_dashboard_is_laid_out() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "job"}


def test_the_chart_ships_the_dashboard_as_it_is() -> None:
    found = render("monitoring").one("ConfigMap", "silver-guardian-dashboard")
    assert json.loads(found["data"]["silver-guardian-overview.json"]) == DASHBOARD
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


# --- alerts ---


def test_alerts_ask_for_metrics_that_exist(metrics: set[str]) -> None:
    asked = {name for rule in rules() for name in re.findall(r"\b((?:silver_guardian|kube|keda)_\w+)", rule["expr"])}
    assert asked - metrics - FOREIGN == set()


def test_alerts_say_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def series(name: str, values: str, **labels: str) -> Object:
    inside = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{inside}}}", "values": values}


SERVER = {"job": "audio-analyzer", "namespace": NAMESPACE, "pod": "audio-analyzer-1", "route": "/analyze"}
WORKER = {"job": "video-analyzer", "namespace": NAMESPACE, "pod": "video-analyzer-worker-1"}
POD = {"namespace": NAMESPACE, "pod": "audio-analyzer-worker-7d-x"}
REQUESTS = "silver_guardian_http_requests_total"
ANALYSES = "silver_guardian_analyses_total"
MESSAGES = "silver_guardian_queue_messages_total"
AGE = "silver_guardian_queue_age_seconds_bucket"


def old(seconds: int) -> list[Object]:
    """A histogram in which every message had this age."""
    edges = ["300.0", "600.0", "1800.0", "3600.0", "+Inf"]
    return [
        series(AGE, "0+10x60" if float(edge.replace("+Inf", "inf")) >= seconds else "0x60", le=edge, **WORKER)
        for edge in edges
    ]


def errors(name: str, values: str, target: str) -> Object:
    return series(name, values, namespace="keda", scaledObject=target, triggerIndex="0")


def replicas(deployment: str, values: str) -> Object:
    return series("kube_deployment_status_replicas_ready", values, namespace=NAMESPACE, deployment=deployment)


def drained(node: str, values: str) -> list[Object]:
    return [
        series("kube_node_spec_unschedulable", values, node=node),
        series("kube_pod_info", "1x60", node=node, namespace=NAMESPACE, pod=f"audio-analyzer-{node}"),
    ]


FIRES: dict[str, tuple[list[Object], list[Object]]] = {
    # alert: (series that must fire it, series that must not)
    "SilverGuardianErrors": (
        [
            # Streams of events and jobs have been answered 200 and 202 before they fail.
            series(REQUESTS, "0+10x60", status="200", **SERVER),
            series(ANALYSES, "0+9x60", outcome="success", **SERVER),
            series(ANALYSES, "0+1x60", outcome="internal-error", **SERVER),
        ],
        [
            series(REQUESTS, "0+99x60", status="200", **SERVER),
            series(REQUESTS, "0+1x60", status="500", **SERVER),
            series(ANALYSES, "0+99x60", outcome="success", **SERVER),
            series(ANALYSES, "0+1x60", outcome="deadline-exceeded", **SERVER),
            # Callers' own faults, those who leave, being busy, and draining are no errors of ours.
            *(series(REQUESTS, "0+50x60", status=status, **SERVER) for status in ("415", "422", "429", "503")),
            *(series(ANALYSES, "0+50x60", outcome=code, **SERVER) for code in ("not-media", "forbidden", "cancelled")),
        ],
    ),
    "SilverGuardianSaturated": (
        [
            series("silver_guardian_requests_admitted", "4x60", **SERVER),
            series("silver_guardian_requests_capacity", "4x60", **SERVER),
        ],
        [
            series("silver_guardian_requests_admitted", "3x60", **SERVER),
            series("silver_guardian_requests_capacity", "4x60", **SERVER),
        ],
    ),
    "SilverGuardianQueueOld": (old(1800), old(600)),
    "SilverGuardianQueueErrors": (
        [
            series(MESSAGES, "0+9x60", outcome="acknowledged", **WORKER),
            series(MESSAGES, "0+1x60", outcome="retried", **WORKER),
        ],
        [
            series(MESSAGES, "0+9x60", outcome="acknowledged", **WORKER),
            series(MESSAGES, "0+9x60", outcome="handed_back", **WORKER),
        ],
    ),
    "SilverGuardianQueueNotServed": (
        [
            series("keda_scaler_metrics_value", "3x60", scaledObject="audio-analyzer-worker"),
            series(
                "kube_deployment_status_replicas_ready", "0x60", namespace=NAMESPACE, deployment="audio-analyzer-worker"
            ),
            series(
                "kube_deployment_status_replicas_ready", "2x60", namespace=NAMESPACE, deployment="video-analyzer-worker"
            ),
        ],
        [
            series("keda_scaler_metrics_value", "3x60", scaledObject="audio-analyzer-worker"),
            series(
                "kube_deployment_status_replicas_ready", "1x60", namespace=NAMESPACE, deployment="audio-analyzer-worker"
            ),
        ],
    ),
    "SilverGuardianScalerErrors": (
        [errors("keda_scaled_object_errors_total", "0+2x60", "video-analyzer-worker")],
        [
            errors("keda_scaled_object_errors_total", "7x60", "audio-analyzer-worker"),
            errors("keda_scaler_detail_errors_total", "0+2x60", "somebody-elses"),
        ],
    ),
    "SilverGuardianScalerSilent": (
        [series("keda_scaler_active", "0x60", scaledObject="audio-analyzer-worker")],
        [series("keda_scaler_active", "0x60", scaledObject=f"{kind}-analyzer-worker") for kind in ("audio", "video")],
    ),
    "SilverGuardianUnseen": (
        [replicas("audio-analyzer", "0x60")],
        [replicas("audio-analyzer", "0x60"), replicas("video-analyzer", "0x60")],
    ),
    "SilverGuardianNotScraped": (
        [replicas("video-analyzer-worker", "2x60"), series("up", "0x60", **WORKER)],
        [
            replicas("video-analyzer-worker", "2x60"),
            series("up", "1x60", **WORKER),
            # Asleep: nothing is there to be read.
            replicas("audio-analyzer", "0x60"),
            replicas("audio-analyzer-worker", "0x60"),
        ],
    ),
    "SilverGuardianPodsPending": (
        [series("kube_pod_status_phase", "1x60", phase="Pending", **POD)],
        [
            series("kube_pod_status_phase", "1x60", phase="Running", **POD),
            series("kube_pod_status_phase", "1x60", phase="Pending", namespace="other", pod="audio-analyzer-1"),
        ],
    ),
    "SilverGuardianSpotInterruption": (
        drained("a", "1x60"),
        [*drained("a", "0x60"), series("kube_node_spec_unschedulable", "1x60", node="without-ours")],
    ),
    "SilverGuardianSpotInterruptionsOften": (
        [*drained("a", "1 1 0x58"), *drained("b", "0x20 1 1 0x37"), *drained("c", "0x30 1x29")],
        [*drained("a", "1 1 0x58"), *drained("b", "0x20 1 1 0x37"), *drained("c", "0x60")],
    ),
}


def test_every_alert_is_tried() -> None:
    assert {rule["alert"] for rule in rules()} == set(FIRES)


@pytest.mark.parametrize("alert", FIRES)
def test_alert_fires_and_does_not(alert: str, tmp_path: Path) -> None:
    (rule,) = (rule for rule in rules() if rule["alert"] == alert)
    quiet = {key: value for key, value in rule.items() if key != "annotations"}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [quiet]}]}))
    named = {
        "SilverGuardianErrors": {"job": "audio-analyzer"}, "SilverGuardianSaturated": {"job": "audio-analyzer"},
        "SilverGuardianQueueOld": {"job": "video-analyzer"}, "SilverGuardianQueueErrors": {"job": "video-analyzer"},
        "SilverGuardianQueueNotServed": {"scaledObject": "audio-analyzer-worker"},
        "SilverGuardianPodsPending": {"namespace": NAMESPACE},
        "SilverGuardianScalerErrors": {"scaledObject": "video-analyzer-worker"},
        "SilverGuardianScalerSilent": {"scaledObject": "video-analyzer-worker"},
        "SilverGuardianUnseen": {"namespace": NAMESPACE, "deployment": "video-analyzer"},
        "SilverGuardianNotScraped": {"job": "video-analyzer"},
    }.get(alert, {})  # fmt: skip
    expected = [{"exp_labels": {**named, **rule["labels"]}}]
    fires, silent = FIRES[alert]
    tests = [
        {
            "interval": "1m",
            "input_series": given,
            "alert_rule_test": [{"eval_time": "45m", "alertname": alert, "exp_alerts": then}],
        }
        for given, then in ((fires, expected), (silent, []))
    ]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    promtool("test", "rules", str(tmp_path / "tests.yaml"))


def fired_when(given: list[Object], tmp_path: Path) -> set[str]:
    """The alerts that fire after 45 minutes of these series, and no others."""
    quiet = [{key: value for key, value in rule.items() if key != "annotations"} for rule in rules()]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": quiet}]}))
    # Says "got: [...]" of each alert that is not expected to fire, and does.
    expected = [{"eval_time": "45m", "alertname": rule["alert"], "exp_alerts": []} for rule in rules()]
    tests = [{"interval": "1m", "input_series": given, "alert_rule_test": expected}]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    command = ["promtool", "test", "rules", str(tmp_path / "tests.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return set(re.findall(r"alertname: (\w+)", done.stdout + done.stderr))


def test_what_fails_by_our_fault_is_told_by_the_error_tree(ask_services: Callable[[list[Object]], Any]) -> None:
    (rule,) = (rule for rule in rules() if rule["alert"] == "SilverGuardianErrors")
    (panel,) = (panel for panel in DASHBOARD["panels"] if panel["title"] == "Failures by our fault")
    # No analysis fails by SQS or Step Functions.
    statuses = ask_services([])["failures"]
    ours = {code for code, status in statuses.items() if status >= 500} - {"queue-unavailable"}
    for expression in (rule["expr"], panel["targets"][0]["expr"]):
        (outcomes,) = re.findall(r'outcome=~"(.+?)"', expression)
        assert set(outcomes.split("|")) == ours


def test_a_door_that_fails_beside_its_analyses_is_not_silent(tmp_path: Path) -> None:
    given = [
        series(ANALYSES, "0+10x60", outcome="success", **SERVER),
        series(REQUESTS, "0+9x60", status="200", **SERVER),
        series(REQUESTS, "0+1x60", status="500", **SERVER),
    ]
    assert "SilverGuardianErrors" in fired_when(given, tmp_path)


def test_an_empty_prometheus_is_not_silent(tmp_path: Path) -> None:
    """With KEDA down, its metrics off or nothing selected there are no series at all, and somebody must hear of it."""
    assert fired_when([], tmp_path) == {"SilverGuardianScalerSilent", "SilverGuardianUnseen"}


def test_keda_that_cannot_read_the_queue_is_not_silent(tmp_path: Path) -> None:
    """No value of the queue's length, so that the alert on waiting messages never fires: its errors must."""
    names = [f"{kind}-analyzer-worker" for kind in ("audio", "video")]
    given = [
        *(series("keda_scaler_active", "0x60", scaledObject=name) for name in names),
        *(errors("keda_scaler_detail_errors_total", "0+4x60", name) for name in names),
        *(replicas(name, "0x60") for name in [*names, "audio-analyzer", "video-analyzer"]),
    ]
    assert fired_when(given, tmp_path) == {"SilverGuardianScalerErrors"}


def test_all_is_quiet_where_all_sleeps(tmp_path: Path) -> None:
    names = [f"{kind}-analyzer-worker" for kind in ("audio", "video")]
    given = [
        *(series("keda_scaler_active", "0x60", scaledObject=name) for name in names),
        *(series("keda_scaler_metrics_value", "0x60", scaledObject=name) for name in names),
        *(replicas(name, "0x60") for name in [*names, "audio-analyzer", "video-analyzer"]),
    ]
    assert fired_when(given, tmp_path) == set()


def test_monitors_bear_what_kube_prometheus_stack_selects_by() -> None:
    switches = [f"monitoring.{what}.enabled=true" for what in ("serviceMonitor", "prometheusRule")]
    manifests = render("eks", *switches)
    for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"):
        assert manifests.of(kind)[0]["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_summaries_are_templates_that_prometheus_knows(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules()}]}))
    promtool("check", "rules", str(tmp_path / "rules.yaml"))
