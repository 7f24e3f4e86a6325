"""A Spot node that is taken away: every worker on it hears of it at once, and has ended before the power goes."""

from __future__ import annotations

import pytest

from tests.helm.chart import CASES, ROOT, Manifests, container, environment, render

NOTICE_SECONDS = 120
# From the notice until the pods are told: EventBridge or the instance's metadata, EKS's drain, the eviction. An
# assumption, the same as the chart's own check has.
TOLD_SECONDS = 20
# A worker's last calls to SQS, after its work was cancelled.
HAND_BACK_SECONDS = 5
MARGIN_SECONDS = 5
# A server has one more line than a worker.
LINES = ["told", "preStop", "drain", "grace", "hand back"]


def evicted_at_once(manifests: Manifests, running: dict[str, int]) -> dict[str, int]:
    """Pods of each Deployment that one drain evicts while no replacement can be ready, as the eviction API counts.

    Args:
        manifests: the rendered objects.
        running: pods of each Deployment, all healthy and all on the drained node.
    """
    pods = manifests.pods()
    evicted = {}
    for name, count in running.items():
        labels = pods[name]["metadata"]["labels"].items()
        budgets = [
            item["spec"]
            for item in manifests.of("PodDisruptionBudget")
            if item["spec"]["selector"]["matchLabels"].items() <= labels
        ]
        gone = 0
        for _ in range(count):
            healthy = count - gone
            if all(healthy > allowed_healthy(budget, count) for budget in budgets):
                gone += 1
        evicted[name] = gone
    return evicted


def allowed_healthy(budget: dict[str, int | str], count: int) -> int:
    """Pods that must stay healthy, of as many as the controller wants."""
    unavailable = budget["maxUnavailable"]
    if isinstance(unavailable, str):
        return count - -(-count * int(unavailable.rstrip("%")) // 100)
    return count - unavailable


@pytest.mark.parametrize("case", CASES)
def test_every_worker_of_a_drained_node_gets_sigterm_within_the_notice(case: str) -> None:
    """A budget would hold all but the first for a replacement whose node does not exist yet."""
    manifests = render(case)
    workers = {name: 5 for name in manifests.names("Deployment") if name.endswith("-worker")}
    assert evicted_at_once(manifests, workers) == workers


def test_the_last_server_is_never_held_either() -> None:
    manifests = render("none")
    one = dict.fromkeys(manifests.names("Deployment"), 1)
    assert evicted_at_once(manifests, one) == one


def end_of(manifests: Manifests, name: str) -> dict[str, float]:
    """What a pod's end is spent on, in seconds from the notice on."""
    pod = manifests.pods()[name]
    variables = environment(pod)
    hook = container(pod).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    spent = [TOLD_SECONDS, float(hook[1]), float(variables["SG_DRAIN_SECONDS"]), float(variables["SG_GRACE_SECONDS"])]
    return dict(zip(LINES, [*spent, HAND_BACK_SECONDS], strict=True))


@pytest.mark.parametrize("case", CASES)
def test_the_end_adds_up_to_less_than_the_notice(case: str) -> None:
    manifests = render(case)
    for name in manifests.names("Deployment"):
        spent = end_of(manifests, name)
        kill = TOLD_SECONDS + manifests.pods()[name]["spec"]["terminationGracePeriodSeconds"]
        assert sum(spent.values()) + MARGIN_SECONDS <= kill, f"{name}: SIGKILL comes before work is handed back"
        assert kill + MARGIN_SECONDS <= NOTICE_SECONDS, f"{name}: the power goes before SIGKILL"


def test_the_documented_sum_is_the_rendered_one() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    server, worker = (end_of(render("eks"), name) for name in ("audio-analyzer", "audio-analyzer-worker"))
    for line in LINES:
        assert f"| {server[line]:g} | {worker[line]:g} |" in text, line
    assert f"| {sum(server.values()):g} | {sum(worker.values()):g} |" in text
    grace = [
        render("eks").pods()[f"audio-analyzer{door}"]["spec"]["terminationGracePeriodSeconds"] + TOLD_SECONDS
        for door in ("", "-worker")
    ]
    assert f"| {grace[0]:g} | {grace[1]:g} |" in text
