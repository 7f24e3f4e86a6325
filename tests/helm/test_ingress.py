"""The way in from outside the cluster: off by default, and as patient as an upload and an analysis."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.helm.chart import CASES, SERVICES, ChartRefused, Object, render
from tests.helm.test_access import may_call

CONTROLLERS = ["alb", "nginx"]


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("ingress-")])
def test_off_by_default(case: str) -> None:
    assert not render(case).of("Ingress")


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_each_service_has_its_own_host(controller: str) -> None:
    manifests = render(f"ingress-{controller}")
    assert manifests.names("Ingress") == set(SERVICES)
    for item in manifests.of("Ingress"):
        name, spec = item["metadata"]["name"], item["spec"]
        assert spec["ingressClassName"] == controller
        (rule,) = spec["rules"]
        assert rule["host"] == f"{name.removesuffix('-analyzer')}.example.com"
        (path,) = rule["http"]["paths"]
        assert path["backend"]["service"] == {"name": name, "port": {"name": "http"}}
        service = manifests.one("Service", name)
        assert [port["name"] for port in service["spec"]["ports"]] == ["http"]
    assert {manifests.one("Deployment", name)["spec"]["replicas"] for name in SERVICES} == {1}


def test_certificates() -> None:
    (tls,) = render("ingress-nginx").one("Ingress", "audio-analyzer")["spec"]["tls"]
    assert tls == {"hosts": ["audio.example.com"], "secretName": "certificate"}


@pytest.fixture(scope="session")
def limits(ask_services: Callable[[list[Object]], Any]) -> dict[str, float]:
    """The services' own limits."""
    (answer,) = ask_services([{"module": "audio_analyzer", "environment": {}}])["settings"]
    return {name: float(answer["values"][name]) for name in ("max_upload_bytes", "request_timeout_seconds")}


def test_an_alb_outlasts_an_analysis(limits: dict[str, float]) -> None:
    notes = render("ingress-alb").one("Ingress", "video-analyzer")["metadata"]["annotations"]
    prefix = "alb.ingress.kubernetes.io/"
    attributes = dict(pair.split("=") for pair in notes[f"{prefix}load-balancer-attributes"].split(","))
    assert float(attributes["idle_timeout.timeout_seconds"]) > limits["request_timeout_seconds"]
    assert json.loads(notes[f"{prefix}listen-ports"]) == [{"HTTPS": 443}]
    assert notes[f"{prefix}target-type"] == "ip", "network policies know pods, not nodes' ports"
    assert notes[f"{prefix}scheme"] == "internal"
    assert notes[f"{prefix}healthcheck-path"] == "/ready"


def test_nginx_takes_the_largest_upload_and_outlasts_an_analysis(limits: dict[str, float]) -> None:
    notes = render("ingress-nginx").one("Ingress", "video-analyzer")["metadata"]["annotations"]
    prefix = "nginx.ingress.kubernetes.io/"
    assert float(notes[f"{prefix}proxy-body-size"].removesuffix("g")) * 2**30 >= limits["max_upload_bytes"]
    assert float(notes[f"{prefix}proxy-read-timeout"]) > limits["request_timeout_seconds"]
    assert float(notes[f"{prefix}proxy-send-timeout"]) > limits["request_timeout_seconds"]
    assert notes[f"{prefix}proxy-request-buffering"] == "off", "the service sees, and refuses, an upload while it comes"


def test_the_controller_may_call_and_nobody_else() -> None:
    nginx, alb = render("ingress-nginx"), render("ingress-alb")
    for name, port in SERVICES.items():
        assert may_call(nginx, name, "ingress-nginx", {}, port)
        assert not may_call(nginx, name, "platform", {}, port)
        assert not may_call(alb, name, "ingress-nginx", {}, port)
        policy = alb.one("NetworkPolicy", name)["spec"]["ingress"][0]["from"]
        assert {"ipBlock": {"cidr": "10.40.0.0/16"}} in policy
        assert not any("ipBlock" in peer for peer in nginx.one("NetworkPolicy", name)["spec"]["ingress"][0]["from"])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["apiKeys.existingSecret="], "name a Secret with keys"),
        (["http.replicas=0"], "no server would answer"),
        (["ingress.hosts.video-analyzer="], "ingress.hosts.video-analyzer is needed"),
        (["autoscaling.modes={keda-http}"], "callers must pass the interceptor"),
    ],
)
def test_a_way_in_that_leads_nowhere_is_refused(values: list[str], sentence: str) -> None:
    with pytest.raises(ChartRefused, match=sentence):
        render("ingress-nginx", *values)
