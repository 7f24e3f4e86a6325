"""What every ML pod is: where it runs, with how much, as whom, and how it starts and ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.helm.chart import CASES, NAMESPACE, SERVICES, ChartRefused, Object, container, environment, quantity, render

SPOT = {"workload": "ml", "nodeType": "spot"}
TOLERATION = {"key": "workload", "operator": "Equal", "value": "ml", "effect": "NoSchedule"}
NODES_SET = [case for case in CASES if case != "any-cluster"]


def ml_pods(case: str) -> dict[str, Object]:
    return {name: pod for name, pod in render(case).pods().items() if pod["metadata"]["labels"].get("workload") == "ml"}


EVERY_ML_POD = [pytest.param(case, name, id=f"{case}-{name}") for case in CASES for name in ml_pods(case)]
SERVERS = [
    pytest.param(case, name, id=f"{case}-{name}")
    for case in CASES
    for name in render(case).names("Deployment")
    if not name.endswith("-worker")
]


def test_names() -> None:
    eks = render("eks")
    assert eks.names("Deployment") == {
        "audio-analyzer",
        "video-analyzer",
        "audio-analyzer-worker",
        "video-analyzer-worker",
    }
    assert eks.names("Service") == set(SERVICES)
    assert eks.names("ServiceAccount") == eks.names("Deployment")


@pytest.mark.parametrize("case", CASES)
def test_every_pod_of_a_deployment_is_an_ml_pod(case: str) -> None:
    assert render(case).names("Deployment") <= set(ml_pods(case))


@pytest.mark.parametrize(("case", "name"), [p for p in EVERY_ML_POD if p.values[0] in NODES_SET])
def test_runs_on_spot_nodes_and_nowhere_else(case: str, name: str) -> None:
    spec = ml_pods(case)[name]["spec"]
    assert spec["nodeSelector"] == SPOT
    assert spec["tolerations"] == [TOLERATION]


def test_a_cluster_without_spot_nodes_is_possible() -> None:
    for pod in ml_pods("any-cluster").values():
        assert "nodeSelector" not in pod["spec"]
        assert "tolerations" not in pod["spec"]


@pytest.mark.parametrize(("case", "name"), EVERY_ML_POD)
def test_amounts(case: str, name: str) -> None:
    amounts = container(ml_pods(case)[name])["resources"]
    audio = name.startswith("audio")
    requests, limits = amounts["requests"], amounts["limits"]
    assert (quantity(requests["cpu"]), quantity(requests["memory"])) == ((0.5, 512 * 2**20) if audio else (1, 2**30))
    assert (quantity(limits["cpu"]), quantity(limits["memory"])) == (2, (2 if audio else 3) * 2**30)


@pytest.fixture(scope="session")
def understood(ask_services: Callable[[list[Object]], Any]) -> dict[tuple[str, str], Any]:
    """What the services make of each ML pod's variables, by case and pod; asked once, since it starts a process."""
    pods = {(case, name): pod for case in CASES for name, pod in ml_pods(case).items()}
    asked = [{"module": container(pod)["command"][2], "environment": environment(pod)} for pod in pods.values()]
    return dict(zip(pods, ask_services(asked)["settings"], strict=True))


@pytest.mark.parametrize(("case", "name"), EVERY_ML_POD)
def test_work_files_have_room_on_disk(case: str, name: str, understood: dict[tuple[str, str], Any]) -> None:
    pod = ml_pods(case)[name]
    main = container(pod)
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in main["volumeMounts"]}
    work = volumes[mounts[environment(pod)["SG_WORK_DIR"]]]["emptyDir"]
    assert "medium" not in work, "memory is too small for a two-hour recording"

    settings = understood[case, name]["values"]
    # The service takes as many analyses at a time as the quota has cores.
    admitted = math.ceil(quantity(main["resources"]["limits"]["cpu"])) + settings["max_waiting"]
    assert quantity(work["sizeLimit"]) >= admitted * settings["max_upload_bytes"]

    sizes = sum(quantity(v["emptyDir"]["sizeLimit"]) for v in volumes.values() if "emptyDir" in v)
    assert quantity(main["resources"]["requests"]["ephemeral-storage"]) >= quantity(work["sizeLimit"])
    assert quantity(main["resources"]["limits"]["ephemeral-storage"]) > sizes


@pytest.mark.parametrize(("case", "name"), EVERY_ML_POD)
def test_work_files_do_not_keep_a_node(case: str, name: str) -> None:
    pod = ml_pods(case)[name]
    annotation = pod["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"]
    assert set(annotation.split(",")) == {v["name"] for v in pod["spec"]["volumes"] if "emptyDir" in v}


@pytest.mark.parametrize(("case", "name"), EVERY_ML_POD)
def test_restricted_pod_security(case: str, name: str) -> None:
    check_restricted(ml_pods(case)[name]["spec"])


@pytest.mark.parametrize("case", CASES)
def test_restricted_pod_security_of_tests(case: str) -> None:
    for pod in render(case).of("Pod"):
        check_restricted(pod["spec"])


def check_restricted(spec: Object) -> None:
    """The rules of the Pod Security Standard `restricted`, and a root file system that cannot be written."""
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
    assert all(set(v) - {"name"} <= {"configMap", "emptyDir", "persistentVolumeClaim"} for v in spec["volumes"])
    for each in spec["containers"] + spec.get("initContainers", []):
        context = each["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not context.get("privileged")
        assert each["resources"]["limits"]["memory"]


@pytest.mark.parametrize(("case", "name"), EVERY_ML_POD)
def test_no_token_for_the_api(case: str, name: str) -> None:
    assert ml_pods(case)[name]["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(("case", "name"), EVERY_ML_POD)
def test_probes_apart(case: str, name: str) -> None:
    main = container(ml_pods(case)[name])
    paths = {kind: main[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/ready", "readiness": "/ready", "liveness": "/health"}
    assert {main[f"{kind}Probe"]["httpGet"]["port"] for kind in paths} == {"http"}
    start, live = main["startupProbe"], main["livenessProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 120, "a cold disk is slow"
    assert live["periodSeconds"] * live["failureThreshold"] >= 30, "a busy moment is no reason for a restart"


@pytest.mark.parametrize(("case", "name"), EVERY_ML_POD)
def test_ports_and_commands(case: str, name: str) -> None:
    main = container(ml_pods(case)[name])
    service = main["name"]
    assert main["ports"] == [{"name": "http", "containerPort": SERVICES[service]}]
    verb = "worker" if name.endswith("-worker") else "serve"
    assert main["command"] == ["python", "-m", service.replace("-", "_"), verb]


@pytest.mark.parametrize("case", CASES)
def test_services_have_the_port_of_the_container_and_find_servers_only(case: str) -> None:
    manifests = render(case)
    for service in manifests.of("Service"):
        name = service["metadata"]["name"]
        (port,) = service["spec"]["ports"]
        assert port["port"] == SERVICES[name]
        assert port["targetPort"] == "http"
        selector = service["spec"]["selector"].items()
        found = {n for n, pod in manifests.pods().items() if selector <= pod["metadata"]["labels"].items()}
        assert found == {name}


@pytest.mark.parametrize("case", CASES)
def test_selectors_are_apart(case: str) -> None:
    manifests = render(case)
    for deployment in manifests.of("Deployment"):
        selector = deployment["spec"]["selector"]["matchLabels"].items()
        found = {n for n, pod in manifests.pods().items() if selector <= pod["metadata"]["labels"].items()}
        assert found == {deployment["metadata"]["name"]}


@pytest.mark.parametrize(("case", "name"), SERVERS)
def test_the_end_of_a_server_fits_a_spot_notice(case: str, name: str) -> None:
    pod = ml_pods(case)[name]
    main, variables = container(pod), environment(pod)
    command = main["lifecycle"]["preStop"]["exec"]["command"]
    assert command[0] == "sleep"
    needed = float(command[1]) + float(variables["SG_DRAIN_SECONDS"]) + float(variables["SG_GRACE_SECONDS"])
    assert float(command[1]) > 0
    assert needed < pod["spec"]["terminationGracePeriodSeconds"] <= 100


@pytest.mark.parametrize(("case", "name"), [p for p in EVERY_ML_POD if str(p.values[1]).endswith("-worker")])
def test_the_end_of_a_worker_fits_a_spot_notice(case: str, name: str) -> None:
    pod = ml_pods(case)[name]
    assert "lifecycle" not in container(pod), "a worker takes messages until SIGTERM: each second before it is lost"
    assert float(environment(pod)["SG_GRACE_SECONDS"]) < pod["spec"]["terminationGracePeriodSeconds"] <= 100


def test_a_longer_end_is_refused() -> None:
    with pytest.raises(ChartRefused, match=r"add up to 140; a Spot node goes 120 s after its notice"):
        render("eks", "shutdown.graceSeconds=120")


@pytest.mark.parametrize("case", CASES)
def test_updates_without_downtime_and_spread_that_never_blocks(case: str) -> None:
    for deployment in render(case).of("Deployment"):
        spec = deployment["spec"]
        assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
        constraints = spec["template"]["spec"]["topologySpreadConstraints"]
        assert {c["topologyKey"] for c in constraints} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        for constraint in constraints:
            assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
            assert constraint["labelSelector"]["matchLabels"] == spec["selector"]["matchLabels"]


# --- settings ---


@pytest.mark.parametrize(("case", "name"), EVERY_ML_POD)
def test_the_services_understand_every_variable(case: str, name: str, understood: dict[tuple[str, str], Any]) -> None:
    answer = understood[case, name]
    assert answer["unknown"] == []
    assert answer["values"]["host"] == "0.0.0.0"
    port = SERVICES[container(ml_pods(case)[name])["name"]]
    assert answer["values"]["port"] == port == answer["port"]


def test_what_may_be_read_and_where_results_go() -> None:
    pods = render("eks").pods()
    bucket = "silver-guardian-media-000000000000-ap-northeast-2"
    for name in ("audio-analyzer", "video-analyzer-worker"):
        assert environment(pods[name])["SG_S3_ALLOW"] == f"{bucket}/uploads"
        assert environment(pods[name])["AWS_REGION"] == "ap-northeast-2"
    worker = environment(pods["audio-analyzer-worker"])
    assert worker["SG_RESULTS_PREFIX"] == "results/"
    assert worker["SG_QUEUE_URL"].endswith("/000000000000/silver-guardian-audio-analyzer")
    assert "SG_QUEUE_URL" not in environment(pods["audio-analyzer"])
    assert "SG_S3_ALLOW" not in environment(render().pods()["audio-analyzer"])


def test_keys_come_from_the_secret() -> None:
    manifests = render("security")
    for name in SERVICES:
        (key,) = (item for item in container(manifests.pods()[name])["env"] if item["name"] == "SG_API_KEYS")
        assert key["valueFrom"] == {"secretKeyRef": {"name": "callers", "key": "api-keys"}}
    assert manifests.of("Secret") == []


ONE, SEVERAL = "http.replicas=1", "http.replicas=2"
JOBS_ON = "services.audio-analyzer.env.SG_JOBS=on"


@pytest.mark.parametrize(
    ("case", "values", "told"),
    [
        ("defaults", (), None),
        ("defaults", (SEVERAL,), "off"),
        ("defaults", ("http.replicas=0",), "off"),
        ("eks", (), "off"),
        ("eks", (ONE,), None),
        ("keda-http", (ONE,), "off"),
        ("keda-cpu", (ONE,), "off"),
        ("defaults", ("services.audio-analyzer.env.SG_JOBS=off", SEVERAL), "off"),
        ("defaults", (JOBS_ON,), "on"),
    ],
)
def test_jobs_are_for_the_only_server(case: str, values: tuple[str, ...], told: str | None) -> None:
    pod = render(case, *values).pods()["audio-analyzer"]
    names = [item["name"] for item in container(pod)["env"]]
    assert names.count("SG_JOBS") == (told is not None)
    assert environment(pod).get("SG_JOBS") == told


@pytest.mark.parametrize("values", [(SEVERAL,), ("autoscaling.modes={keda-cpu}",)])
def test_jobs_on_several_servers_are_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(ChartRefused, match="a job is known to the pod alone that took it"):
        render("defaults", JOBS_ON, *values)


@pytest.mark.parametrize(
    ("case", "values", "known"),
    [
        ("defaults", (), True),
        ("eks", ("http.replicas=2",), True),
        ("eks", ("http.replicas=0",), False),
        ("keda-cpu", (), True),
        ("keda-http", (), False),
        ("defaults", ("http.replicas=0",), False),
        ("defaults", ("http.peers=false",), False),
        ("defaults", ("services.audio-analyzer.enabled=false",), False),
    ],
)
def test_servers_know_each_other_where_both_answer(case: str, values: tuple[str, ...], known: bool) -> None:
    manifests = render(case, *values)
    peers = {"audio-analyzer": "http://video-analyzer:8001", "video-analyzer": "http://audio-analyzer:8000"}
    for name in manifests.names("Deployment"):
        peer = environment(manifests.pods()[name]).get("SG_PEER_URL")
        assert peer == (peers.get(name) if known else None), name


def test_whom_a_server_asks_may_be_said_by_hand() -> None:
    pods = render("defaults", "services.video-analyzer.env.SG_PEER_URL=https://audio.example").pods()
    assert environment(pods["video-analyzer"])["SG_PEER_URL"] == "https://audio.example"
    assert environment(pods["audio-analyzer"])["SG_PEER_URL"] == "http://video-analyzer:8001"


def test_images() -> None:
    eks, secured, fixed = (render(case).pods() for case in ("eks", "security", "none"))
    registry = "000000000000.dkr.ecr.ap-northeast-2.amazonaws.com"
    assert container(eks["video-analyzer-worker"])["image"] == f"{registry}/video-analyzer:0.1.0"
    assert container(secured["audio-analyzer"])["image"].endswith(f"/audio-analyzer@sha256:{'0123456789abcdef' * 4}")
    assert secured["audio-analyzer"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert container(fixed["audio-analyzer"])["image"] == "audio-analyzer:1.2.3"


# --- models ---


def test_a_model_from_s3() -> None:
    pod = render("model").pods()["audio-analyzer"]
    (fetch,) = pod["spec"]["initContainers"]
    assert fetch["command"] == ["python", "/scripts/fetch_model.py", "s3://media/models/audio/2.0.0/", "/model"]
    assert fetch["image"] == container(pod)["image"]
    assert {"name": "AWS_REGION", "value": "ap-northeast-2"} in fetch["env"]
    assert environment(pod)["SG_MODEL_DIR"] == "/model"
    assert {"name": "model", "mountPath": "/model", "readOnly": True} in container(pod)["volumeMounts"]
    scripts = render("model").one("ConfigMap", "audio-analyzer-scripts")
    assert "def fetch(" in scripts["data"]["fetch_model.py"]


def test_a_model_from_a_volume() -> None:
    pod = render("model").pods()["video-analyzer"]
    assert environment(pod)["SG_MODEL_DIR"] == "/model/video/2.0.0"
    (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == "model")
    assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    assert "initContainers" not in pod["spec"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("services.audio-analyzer.model.source=s3", "model.s3.uri must be s3://bucket/prefix/"),
        ("services.video-analyzer.model.source=pvc", "model.pvc.claimName is needed"),
    ],
)
def test_half_a_model_source_is_refused(value: str, sentence: str) -> None:
    with pytest.raises(ChartRefused, match=sentence):
        render("defaults", value)


# --- helm test ---


def test_helm_test_asks_the_service_where_servers_run() -> None:
    manifests = render("none")
    pod = manifests.one("Pod", "audio-analyzer-test")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert "workload" not in pod["metadata"]["labels"]
    assert "initContainers" not in pod["spec"]
    command = pod["spec"]["containers"][0]["command"]
    assert command[2:] == [f"http://audio-analyzer.{NAMESPACE}:8000", "/test/speech.ogg"]
    assert set(manifests.one("ConfigMap", "audio-analyzer-test")["binaryData"]) == {"speech.ogg"}


@pytest.mark.parametrize("case", ["eks", "keda-http", "keda-cpu"])
def test_helm_test_brings_a_server_where_none_is_certain(case: str) -> None:
    pod = render(case).one("Pod", "video-analyzer-test")
    (server,) = pod["spec"]["initContainers"]
    assert server["restartPolicy"] == "Always", "runs beside the test, and ends with it"
    assert server["command"][-1] == "serve"
    command = pod["spec"]["containers"][0]["command"]
    assert command[2:] == ["http://127.0.0.1:8001", "/test/face.mp4"]
    assert pod["spec"]["serviceAccountName"] == "video-analyzer"
