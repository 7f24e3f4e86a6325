"""Who may call, what the services may reach, which rights they have, and that drains go on."""

from __future__ import annotations

import ipaddress

import pytest

from tests.helm.chart import CASES, NAMESPACE, SERVICES, Manifests, Object, render

WITH_POLICY = list(CASES)


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """A label selector of matchLabels and `In` expressions."""
    named = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return named and all(labels.get(e["key"]) in e["values"] for e in expressions)


def may_call(manifests: Manifests, target: str, namespace: str, labels: dict[str, str], port: int) -> bool:
    """Whether a pod may open a connection, by the policies of the target's pods (none would allow all)."""
    pod = manifests.pods()[target]["metadata"]["labels"]
    policies = [p["spec"] for p in manifests.of("NetworkPolicy") if matches(p["spec"]["podSelector"], pod)]
    assert policies, f"no policy for {target}"
    for policy in policies:
        assert "Ingress" in policy["policyTypes"]
        for rule in policy.get("ingress", []):
            if port in {item["port"] for item in rule["ports"]} and any(
                admits(peer, namespace, labels) for peer in rule["from"]
            ):
                return True
    return False


def admits(peer: Object, namespace: str, labels: dict[str, str]) -> bool:
    if "namespaceSelector" in peer:
        in_namespace = matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": namespace})
    else:
        in_namespace = namespace == NAMESPACE
    return in_namespace and matches(peer.get("podSelector", {}), labels)


@pytest.mark.parametrize("name", SERVICES)
def test_only_named_namespaces_may_call(name: str) -> None:
    port = SERVICES[name]
    manifests = render("eks", "networkPolicy.allowedNamespaces={platform}")
    assert may_call(manifests, name, "platform", {}, port)
    assert not may_call(manifests, name, "platform", {}, 22)
    assert not may_call(manifests, name, "default", {}, port)
    assert not may_call(manifests, name, NAMESPACE, {"app": "other"}, port)
    assert not may_call(render("eks"), name, "platform", {}, port)


@pytest.mark.parametrize("case", CASES)
def test_workers_are_called_by_nobody(case: str) -> None:
    manifests = render(case, "networkPolicy.allowedNamespaces={platform}")
    for name in manifests.names("Deployment"):
        if name.endswith("-worker"):
            port = SERVICES[name.removesuffix("-worker")]
            assert not any(
                may_call(manifests, name, namespace, {}, port) for namespace in ("platform", "keda", NAMESPACE)
            )
            assert may_call(manifests, name, "monitoring", {}, port) == (case == "monitoring")


def test_helm_test_the_interceptor_and_prometheus_may_call() -> None:
    none, http, monitored = render("none"), render("keda-http"), render("monitoring")
    for name, port in SERVICES.items():
        test = none.one("Pod", f"{name}-test")["metadata"]["labels"]
        assert may_call(none, name, NAMESPACE, test, port)
        assert not may_call(none, name, "keda", {}, port)
        assert may_call(http, name, "keda", {}, port)
        assert may_call(monitored, name, "monitoring", {}, port)
        assert not may_call(none, name, "monitoring", {}, port)


def may_reach(policy: Object, address: str, port: int) -> bool:
    """Whether egress to an address outside the cluster is allowed."""
    for rule in policy["egress"]:
        for peer in rule["to"]:
            block = peer.get("ipBlock")
            if block and ipaddress.ip_address(address) in ipaddress.ip_network(block["cidr"]):
                excepted = any(
                    ipaddress.ip_address(address) in ipaddress.ip_network(cidr) for cidr in block.get("except", [])
                )
                if not excepted and port in {item["port"] for item in rule["ports"]}:
                    return True
    return False


@pytest.mark.parametrize("case", CASES)
def test_egress_is_dns_and_443(case: str) -> None:
    manifests = render(case)
    assert manifests.names("NetworkPolicy") == manifests.names("Deployment")
    for item in manifests.of("NetworkPolicy"):
        policy = item["spec"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        dns = policy["egress"][0]
        assert dns["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kube-system"}
        assert dns["to"][0]["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}
        assert {(p["port"], p["protocol"]) for p in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
        aws = "10.40.1.1" if case == "security" else "52.219.60.1"
        assert may_reach(policy, aws, 443)
        assert not may_reach(policy, aws, 80)
        assert not may_reach(policy, "169.254.169.254", 443), "the instance metadata holds the node's role"
        assert may_reach(policy, "52.219.60.1", 443) == (case != "security")
        others = [rule for rule in policy["egress"][2:] if not any("podSelector" in peer for peer in rule["to"])]
        assert len(others) == (1 if case == "any-cluster" else 0)


@pytest.mark.parametrize(("case", "open_"), [("defaults", True), ("eks", True), ("keda-http", False)])
def test_servers_reach_each_other_and_no_worker_does(case: str, open_: bool) -> None:
    manifests = render(case, "http.replicas=1")
    pods = manifests.pods()
    for name, port in SERVICES.items():
        (peer,) = SERVICES.keys() - {name}
        assert may_call(manifests, peer, NAMESPACE, pods[name]["metadata"]["labels"], SERVICES[peer]) == open_
        for worker in pods.keys() & {f"{name}-worker"}:
            assert not may_call(manifests, peer, NAMESPACE, pods[worker]["metadata"]["labels"], SERVICES[peer])
        own = pods[peer]["metadata"]["labels"]
        rules = [
            rule for rule in manifests.one("NetworkPolicy", name)["spec"]["egress"] if rule["to"][0].get("podSelector")
        ]
        reached = [rule["ports"] for rule in rules if matches(rule["to"][0]["podSelector"], own)]
        assert reached == ([[{"port": SERVICES[peer], "protocol": "TCP"}]] if open_ else [])
        assert port not in {item["port"] for rule in rules for item in rule["ports"]}


def test_policies_can_be_left_out() -> None:
    assert not render("eks", "networkPolicy.enabled=false").of("NetworkPolicy")


@pytest.mark.parametrize("case", CASES)
def test_drains_never_deadlock(case: str) -> None:
    manifests = render(case)
    servers = {name for name in manifests.names("Deployment") if not name.endswith("-worker")}
    assert manifests.names("PodDisruptionBudget") == servers
    for item in manifests.of("PodDisruptionBudget"):
        spec = item["spec"]
        assert spec["maxUnavailable"] == 1
        assert "minAvailable" not in spec
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        deployment = manifests.one("Deployment", item["metadata"]["name"])
        assert spec["selector"] == deployment["spec"]["selector"]


def test_each_role_of_each_service_has_an_account_of_its_own() -> None:
    """What a caller can make a server do must not reach queues and results."""
    manifests = render("eks")
    pods = manifests.pods()
    used = {}
    for name in manifests.names("Deployment"):
        account = manifests.one("ServiceAccount", pods[name]["spec"]["serviceAccountName"])
        used[name] = account["metadata"]["name"]
        annotations = account["metadata"]["annotations"]
        assert annotations["eks.amazonaws.com/role-arn"] == f"arn:aws:iam::000000000000:role/silver-guardian-{name}"
        assert account["automountServiceAccountToken"] is False
    assert len(set(used.values())) == len(used) == 4
    assert manifests.names("ServiceAccount") == set(used.values())
    for name in SERVICES:
        assert pods[f"{name}-test"]["spec"]["serviceAccountName"] == name, "helm test has the server's rights"
    assert "annotations" not in render().one("ServiceAccount", "audio-analyzer")["metadata"]
    assert render().names("ServiceAccount") == set(SERVICES), "no queue, no worker, no account for it"


def test_an_account_of_ones_own() -> None:
    manifests = render("security")
    assert manifests.names("ServiceAccount") == {"video-analyzer"}
    assert manifests.pods()["audio-analyzer"]["spec"]["serviceAccountName"] == "existing"


@pytest.mark.parametrize("case", CASES)
def test_no_rights_in_the_cluster(case: str) -> None:
    kinds = {item["kind"] for item in render(case)}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret"}


@pytest.mark.parametrize("case", CASES)
def test_everything_lies_in_the_releases_namespace(case: str) -> None:
    assert {item["metadata"].get("namespace") for item in render(case)} == {NAMESPACE}
