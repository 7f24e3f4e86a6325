"""Who scales what, from which number, and that KEDA would take what is rendered."""

from __future__ import annotations

import itertools

import pytest

from tests.helm.chart import CASES, NAMESPACE, SERVICES, ChartRefused, Manifests, render

WORKERS = {f"{name}-worker" for name in SERVICES}
LOAD_ONLY = {"cpu", "memory"}


def replicas(manifests: Manifests, name: str) -> int | None:
    found: int | None = manifests.one("Deployment", name)["spec"].get("replicas")
    return found


def test_none() -> None:
    manifests = render("none")
    assert replicas(manifests, "audio-analyzer") == 1
    assert not manifests.of("ScaledObject") + manifests.of("InterceptorRoute")


def test_eks_scales_workers_by_their_queue_and_keeps_no_server() -> None:
    manifests = render("eks")
    assert {replicas(manifests, name) for name in SERVICES} == {0}
    # A number here would be put back at each upgrade, while work runs.
    assert {replicas(manifests, name) for name in WORKERS} == {None}
    assert manifests.names("ScaledObject") == WORKERS
    for item in manifests.of("ScaledObject"):
        spec = item["spec"]
        assert spec["scaleTargetRef"] == {"name": item["metadata"]["name"]}
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 5)
        (trigger,) = spec["triggers"]
        assert trigger["type"] == "aws-sqs-queue"
        service = item["metadata"]["name"].removesuffix("-worker")
        assert trigger["metadata"]["queueURL"].endswith(f"/silver-guardian-{service}")
        assert trigger["metadata"]["scaleOnInFlight"] == "true"
        assert trigger["metadata"]["awsRegion"] == "ap-northeast-2"
        assert "identityOwner" not in trigger["metadata"]
        authentication = manifests.one("TriggerAuthentication", trigger["authenticationRef"]["name"])
        assert authentication["spec"] == {"podIdentity": {"provider": "aws"}}


def test_http_replicas() -> None:
    assert {replicas(render("eks", "http.replicas=3"), name) for name in SERVICES} == {3}


def test_keda_http() -> None:
    manifests = render("keda-http")
    assert {replicas(manifests, name) for name in SERVICES} == {None}
    assert manifests.names("InterceptorRoute") == manifests.names("ScaledObject") == set(SERVICES)
    for item in manifests.of("InterceptorRoute"):
        spec, name = item["spec"], item["metadata"]["name"]
        assert spec["target"] == {"service": name, "port": SERVICES[name]}
        assert spec["scalingMetric"] == {"concurrency": {"targetValue": 2}}
        # A Spot node takes minutes, and an analysis up to its own deadline; the add-on waits for neither by itself.
        assert spec["timeouts"] == {"readiness": "600s", "responseHeader": "330s"}
        scaled = manifests.one("ScaledObject", name)["spec"]
        assert scaled["scaleTargetRef"] == {"name": name}
        assert (scaled["minReplicaCount"], scaled["maxReplicaCount"], scaled["cooldownPeriod"]) == (0, 5, 300)
        metadata = {"scalerAddress": "keda-add-ons-http-external-scaler.keda:9090", "interceptorRoute": name}
        assert scaled["triggers"] == [{"type": "external-push", "metadata": metadata}]
    hosts = {item["metadata"]["name"]: item["spec"]["rules"][0]["hosts"] for item in manifests.of("InterceptorRoute")}
    assert hosts["audio-analyzer"] == ["audio.silver-guardian.internal"]
    assert hosts["video-analyzer"] == [f"video-analyzer.{NAMESPACE}"]


def test_both_together() -> None:
    manifests = render("keda-both")
    assert manifests.names("ScaledObject") == WORKERS | set(SERVICES)
    assert manifests.names("InterceptorRoute") == set(SERVICES)


def test_an_emulator_is_read_by_keda_too() -> None:
    (trigger, *_) = render("eks", "aws.endpointUrl=http://aws:5000").of("ScaledObject")[0]["spec"]["triggers"]
    assert trigger["metadata"]["awsEndpoint"] == "http://aws:5000"


def test_further_triggers() -> None:
    triggers = render("keda-sqs").of("ScaledObject")[0]["spec"]["triggers"]
    assert [trigger["type"] for trigger in triggers] == ["aws-sqs-queue", "cron"]


# --- what KEDA's webhook refuses ---


def webhook_refusals(manifests: Manifests) -> list[str]:
    """The refusals of KEDA's admission webhook that concern what this chart can render."""
    found = []
    targets: set[str] = set()
    for item in manifests.of("ScaledObject"):
        spec, name = item["spec"], item["metadata"]["name"]
        kinds = {trigger["type"] for trigger in spec["triggers"]}
        if kinds <= LOAD_ONLY and spec.get("minReplicaCount", 0) == 0:
            found.append(f"{name}: only {kinds} and a minimum of 0")
        if spec.get("minReplicaCount", 0) > spec["maxReplicaCount"]:
            found.append(f"{name}: minimum above maximum")
        routes = {trigger["metadata"].get("interceptorRoute") for trigger in spec["triggers"]} - {None}
        if not routes <= manifests.names("InterceptorRoute"):
            found.append(f"{name}: no InterceptorRoute {routes}")
        if spec["scaleTargetRef"]["name"] in targets:
            found.append(f"{name}: its Deployment is scaled already")
        targets.add(spec["scaleTargetRef"]["name"])
        deployment = manifests.one("Deployment", spec["scaleTargetRef"]["name"])
        for trigger in spec["triggers"]:
            if trigger["type"] in LOAD_ONLY:
                (container,) = deployment["spec"]["template"]["spec"]["containers"]
                if trigger["type"] not in container["resources"]["requests"]:
                    found.append(f"{name}: no request of {trigger['type']}")
                if not trigger.get("metricType") and not trigger["metadata"].get("type"):
                    found.append(f"{name}: {trigger['type']} without metricType")
    return found


@pytest.mark.parametrize("case", CASES)
def test_keda_takes_every_case(case: str) -> None:
    assert webhook_refusals(render(case)) == []


MODES = ["none", "keda-sqs", "keda-http", "keda-cpu"]
COMBINATIONS = [set_ for size in range(1, len(MODES) + 1) for set_ in itertools.combinations(MODES, size)]


@pytest.mark.parametrize("modes", COMBINATIONS, ids="+".join)
@pytest.mark.parametrize("minimum", [0, 6])
def test_no_combination_renders_what_keda_refuses(modes: tuple[str, ...], minimum: int) -> None:
    sets = [f"autoscaling.modes={{{','.join(modes)}}}"]
    sets += [f"autoscaling.{what}.minReplicas={minimum}" for what in ("sqs", "http", "cpu")]
    sets += [
        "autoscaling.sqs.extraTriggers[0].type=cpu",
        "autoscaling.sqs.extraTriggers[0].metricType=Utilization",
        "autoscaling.sqs.extraTriggers[0].metadata.value=80",
    ]
    refusable = minimum == 6 or "none" in modes or "keda-cpu" in modes
    try:
        found = webhook_refusals(render("eks", *sets))
    except ChartRefused as refusal:
        found = [] if refusable and "autoscaling." in str(refusal) else [f"refused: {refusal}"]
    assert found == []


@pytest.mark.parametrize(
    ("case", "values", "sentence"),
    [
        (
            "keda-cpu", ["autoscaling.cpu.minReplicas=0"],
            "must be at least 1: KEDA refuses a ScaledObject that has only a cpu trigger and a minimum of 0",
        ),
        ("eks", ["autoscaling.modes={none,keda-sqs}"], "none stands alone"),
        ("keda-http", ["autoscaling.modes={keda-http,keda-cpu}"], "refuses a second ScaledObject for one Deployment"),
        ("eks", ["autoscaling.sqs.minReplicas=6"], "minReplicas must be at most maxReplicas"),
        ("keda-http", ["autoscaling.http.minReplicas=6"], "minReplicas must be at most maxReplicas"),
        ("defaults", ["autoscaling.modes={keda-sqs}"], "scales from zero only by an event source"),
        ("eks", ["services.video-analyzer.queueUrl="], "services.video-analyzer.queueUrl is needed with keda-sqs"),
        (
            "eks", ["autoscaling.sqs.extraTriggers[0].type=cpu", "autoscaling.sqs.extraTriggers[0].metadata.value=80"],
            "a cpu trigger needs metricType",
        ),
        ("eks", ["storage.bucket="], "storage.bucket is needed"),
        ("eks", ["aws.region="], "aws.region is needed"),
    ],
)  # fmt: skip
def test_refusals_say_why(case: str, values: list[str], sentence: str) -> None:
    with pytest.raises(ChartRefused, match=sentence):
        render(case, *values)
