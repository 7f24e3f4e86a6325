"""deploy-ml-services.sh, end to end: real terraform, helm, kubectl and aws; an emulator, and a played cluster."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helm.chart import NAMESPACE, ROOT
from tests.helm.conftest import Deployed
from tests.helm.deployment import Checkout
from tests.helm.fake_cluster import FakeCluster

STEPS = [
    "tools", "account", "build", "infrastructure", "push", "kubeconfig",
    "autoscaler", "keda", "chart", "wait", "smoke",
]  # fmt: skip
WORKLOADS = {"audio-analyzer", "video-analyzer", "audio-analyzer-worker", "video-analyzer-worker"}


def steps_of(log: str) -> list[str]:
    return re.findall(r"^== (\w+)$", log, re.MULTILINE)


def given_values(cluster: FakeCluster, chart: str, namespace: str) -> Any:
    found = cluster.get("configmaps", f"{chart}-values", namespace)
    assert found is not None
    return json.loads(found["data"]["values"])


def dry_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = [str(ROOT / "deploy-ml-services.sh"), *arguments]
    return subprocess.run(script, capture_output=True, text=True, check=False)


# --- without a deployment ---


def test_a_dry_run_prints_every_command_and_runs_none(checkout: Checkout, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.write_text("")
    ended = subprocess.run(
        ["./deploy-ml-services.sh", "--dry-run", "--http"], cwd=checkout.folder, capture_output=True, text=True,
        check=False, env=checkout.variables | {"CALLS": str(calls)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert steps_of(ended.stdout) == STEPS
    assert {call.split()[0] for call in calls.read_text().splitlines()} == {"git"}, "looks at the checkout, no more"
    for command in (
        "aws sts get-caller-identity", "docker build --platform linux/amd64 --build-arg SERVICE=audio",
        "docker push REGISTRY/video-analyzer:", "terraform -chdir=terraform apply -input=false",
        "aws eks update-kubeconfig", "helm upgrade --install cluster-autoscaler", "helm upgrade --install keda",
        "helm upgrade --install http-add-on",
        "helm upgrade --install silver-guardian helm/silver-guardian -f helm/silver-guardian/values-eks.yaml",
        "kubectl rollout status deployment/video-analyzer-worker", "python3 helm/tools/verify_cluster.py",
    ):  # fmt: skip
        assert f"+ {command}" in ended.stdout


def test_a_dry_run_needs_no_tool(checkout: Checkout, tmp_path: Path) -> None:
    for tool in ("git", "dirname", "mkdir", "bash", "env", "cat", "realpath"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / tool).symlink_to(found)
    ended = subprocess.run(
        ["./deploy-ml-services.sh", "--dry-run"], cwd=checkout.folder, capture_output=True, text=True, check=False,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "not found on PATH: aws docker terraform kubectl helm python3" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--frm", "push"], "no option --frm"),
        (["--from"], "--from needs a value"),
        (["--from", "nowhere"], "no step 'nowhere'; the steps are: tools account"),
    ],
)
def test_wrong_options(arguments: list[str], says: str) -> None:
    ended = dry_run("--dry-run", *arguments)
    assert ended.returncode != 0
    assert says in ended.stderr


def test_help() -> None:
    ended = dry_run("--help")
    assert ended.returncode == 0
    assert all(step in ended.stdout for step in STEPS)


# --- the whole of it ---


def test_deploys(deployed: Deployed, live_cluster: FakeCluster) -> None:
    assert steps_of(deployed.log) == STEPS
    assert f"deploy: done, images {deployed.tag}" in deployed.log
    assert "(dry run" not in deployed.log
    names = {item["metadata"]["name"] for item in live_cluster.all("deployments", NAMESPACE)}
    assert names == WORKLOADS


def test_images_bear_the_commit(deployed: Deployed) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=deployed.checkout.folder, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert deployed.tag == commit[:12]
    for kind in ("audio", "video"):
        (build,) = (c for c in deployed.calls if c.startswith("docker build") and f"SERVICE={kind} " in c)
        assert f"REVISION={commit}" in build
        assert f"PORT={8000 if kind == 'audio' else 8001}" in build


def test_the_chart_gets_what_terraform_made(deployed: Deployed, live_cluster: FakeCluster) -> None:
    outputs = json.loads(
        subprocess.run(
            ["terraform", "-chdir=terraform", "output", "-json"], cwd=deployed.checkout.folder,
            env=deployed.checkout.variables, capture_output=True, text=True, check=True,
        ).stdout
    )  # fmt: skip
    value = {name: item["value"] for name, item in outputs.items()}
    for service in ("audio-analyzer", "video-analyzer"):
        for door in ("http", "worker"):
            account = live_cluster.get("serviceaccounts", value["service_accounts"][service][door], NAMESPACE)
            assert account is not None
            role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
            assert role == value["service_role_arns"][service][door]
        worker = live_cluster.get("deployments", f"{service}-worker", NAMESPACE)
        assert worker is not None
        (main,) = worker["spec"]["template"]["spec"]["containers"]
        assert main["image"] == f"{value['repository_urls'][service]}:{deployed.tag}"
        variables = {item["name"]: item.get("value") for item in main["env"]}
        assert variables["SG_QUEUE_URL"] == value["queue_urls"][service]
        assert variables["SG_S3_ALLOW"] == f"{value['media_bucket']}/uploads"
        scaled = live_cluster.get("scaledobjects", f"{service}-worker", NAMESPACE)
        assert scaled is not None
        assert scaled["spec"]["triggers"][0]["metadata"]["queueURL"] == value["queue_urls"][service]
    assert given_values(live_cluster, "keda", "keda")["podIdentity"]["aws"]["irsa"] == {
        "enabled": True, "roleArn": value["keda_role_arn"],
    }  # fmt: skip
    autoscaler = given_values(live_cluster, "cluster-autoscaler", "kube-system")
    assert autoscaler["autoDiscovery"]["clusterName"] == value["cluster_name"] == "silver-guardian-cluster"
    assert autoscaler["rbac"]["serviceAccount"]["name"] == "cluster-autoscaler"
    annotation = autoscaler["rbac"]["serviceAccount"]["annotations"]
    assert annotation == {"eks.amazonaws.com/role-arn": value["cluster_autoscaler_role_arn"]}


def test_the_interceptor_waits_for_a_spot_node_and_for_an_analysis(
    deployed: Deployed, live_cluster: FakeCluster
) -> None:
    interceptor = given_values(live_cluster, "keda-add-ons-http", "keda")["interceptor"]
    assert interceptor["readinessTimeout"] == "600s"
    assert int(interceptor["responseHeaderTimeout"].removesuffix("s")) > 300, "the services' own deadline"


def test_the_namespace_is_restricted(deployed: Deployed, live_cluster: FakeCluster) -> None:
    namespace = live_cluster.get("namespaces", NAMESPACE)
    assert namespace is not None
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_ends_with_a_smoke_test_of_both(deployed: Deployed) -> None:
    assert "face.mp4 judged by played 0: 0.250" in deployed.log
    assert "speech.ogg judged by played 0: 0.250" in deployed.log


def test_ends_with_an_upload_that_goes_the_whole_way(deployed: Deployed) -> None:
    """The default path, which nobody tries by asking a server."""
    (line,) = (line for line in deployed.log.splitlines() if " queue: " in line)
    assert line.startswith("ok")
    for name in ("audio-analyzer", "video-analyzer"):
        assert f"{name}: an upload was judged by a worker with played 0" in line
    assert len(re.findall(r"^ok +dead letters: none in ", deployed.log, re.MULTILINE)) == 2
    assert re.search(r"^ok +scaling: 4 ScaledObjects, all Ready$", deployed.log, re.MULTILINE)


def test_nothing_is_monitored_where_nothing_monitors(deployed: Deployed, live_cluster: FakeCluster) -> None:
    assert not live_cluster.all("servicemonitors")
    assert "prometheus" not in given_values(live_cluster, "keda", "keda")


def test_again_is_safe(deployed: Deployed, live_cluster: FakeCluster) -> None:
    """All but Terraform, whose second plan is its own business (and never empty with the emulator)."""
    ended = deployed.checkout.run("--yes", "--from", "push")
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert "video-analyzer:" + deployed.tag + " is there" in ended.stdout
    assert steps_of(ended.stdout) == STEPS[STEPS.index("push") :]
    calls = deployed.checkout.calls()
    assert not any(call.startswith(("docker push", "docker login", "kubectl create namespace")) for call in calls)
    names = {item["metadata"]["name"] for item in live_cluster.all("deployments", NAMESPACE)}
    assert names == WORKLOADS


def test_a_prometheus_in_the_cluster_is_used(deployed: Deployed, live_cluster: FakeCluster) -> None:
    spec = {name: {"matchLabels": {"release": "kps"}} for name in ("serviceMonitorSelector", "ruleSelector")}
    live_cluster.missing.clear()
    live_cluster.put("namespaces", {"metadata": {"name": "observing"}})
    live_cluster.put("prometheuses", {"metadata": {"name": "kps", "namespace": "observing"}, "spec": spec})
    try:
        ended = deployed.checkout.run("--yes", "--http", "--from", "keda", FAIL_ON="^kubectl rollout")
    finally:
        # Its kinds stay: Helm has to know them to take the release's monitors away again.
        live_cluster.delete("prometheuses", "observing", "kps")
    assert "deploy: step 'wait' failed" in ended.stdout, ended.stdout[-3000:]
    operator = given_values(live_cluster, "keda", "keda")["prometheus"]["operator"]
    assert operator == {"enabled": True, "serviceMonitor": {"enabled": True, "additionalLabels": {"release": "kps"}}}
    for kind in ("servicemonitors", "podmonitors", "prometheusrules"):
        (found,) = live_cluster.all(kind, NAMESPACE)
        assert found["metadata"]["labels"]["release"] == "kps"


def test_values_outrank_the_scripts_own(deployed: Deployed, live_cluster: FakeCluster, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("autoscaling: {modes: [keda-sqs, keda-cpu]}")
    arguments = ("--yes", "--from", "chart", "--values", str(tmp_path / "values.yaml"))
    ended = deployed.checkout.run(*arguments, FAIL_ON="^kubectl rollout")
    assert "deploy: step 'wait' failed" in ended.stdout, ended.stdout[-3000:]
    scaled = live_cluster.get("scaledobjects", "audio-analyzer", NAMESPACE)
    assert scaled is not None
    assert [trigger["type"] for trigger in scaled["spec"]["triggers"]] == ["cpu"]
    assert not live_cluster.all("interceptorroutes", NAMESPACE)
    assert not live_cluster.all("servicemonitors", NAMESPACE), "the Prometheus of the test before is gone"


def test_a_cluster_that_nobody_could_reach_is_not_made(deployed: Deployed, tmp_path: Path) -> None:
    """The first deployment from a laptop: before the infrastructure, not after it."""
    state = deployed.checkout.folder / "terraform/terraform.tfstate"
    state.rename(tmp_path / "state")
    closed = {"TF_VAR_cluster_endpoint_public_access_cidrs": "[]"}
    try:
        ended = deployed.checkout.run("--yes", "--from", "infrastructure", **closed, FAIL_ON="terraform .* apply")
        assert "Nothing was made" in ended.stdout
        assert not any(" apply" in call for call in deployed.checkout.calls())
        ended = deployed.checkout.run(
            "--yes", "--private-api", "--from", "infrastructure", **closed, FAIL_ON="terraform .* apply"
        )
        assert any(" apply" in call for call in deployed.checkout.calls())
    finally:
        state.unlink(missing_ok=True)
        (tmp_path / "state").rename(state)


# --- failures ---

FAILURES = {
    "tools": "docker version",
    "account": "aws sts",
    "build": "docker build .*SERVICE=video",
    "infrastructure": "terraform .* plan",
    "push": "aws ecr (describe-images|get-login-password) .*video|aws ecr get-login-password",
    "kubeconfig": "aws eks update-kubeconfig",
    "autoscaler": "helm upgrade --install cluster-autoscaler",
    "keda": "helm upgrade --install keda",
    "chart": "helm upgrade --install silver-guardian",
    "wait": "kubectl wait scaledobject",
    "smoke": "kubectl port-forward",
}


def test_every_step_is_made_to_fail() -> None:
    assert list(FAILURES) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_stops_at_a_failure_and_says_how_to_resume(step: str, deployed: Deployed) -> None:
    # An image that is there is not pushed again: that step has to have something to do.
    tag = "other" if step == "push" else deployed.tag
    ended = deployed.checkout.run("--yes", "--tag", tag, "--from", step, FAIL_ON=FAILURES[step])
    assert ended.returncode != 0, ended.stdout[-3000:]
    assert ": told to fail" in ended.stdout, "and by nothing else"
    assert steps_of(ended.stdout) == [step]
    assert f"deploy: step '{step}' failed" in ended.stdout
    resume = ended.stdout.strip().splitlines()[-1]
    assert resume.endswith(f"--tag {tag} --from {step}"), resume
    assert "deploy: done" not in ended.stdout


def test_a_plan_that_is_not_confirmed_is_not_applied(deployed: Deployed) -> None:
    # Something to plan for, and no look at each resource.
    changes = {"TF_VAR_results_retention_days": "91", "TF_CLI_ARGS_plan": "-refresh=false"}
    ended = deployed.checkout.run("--from", "infrastructure", given="y\n", **changes)
    assert ended.returncode != 0
    assert "deploy: not applied" in ended.stdout
    assert not any(" apply" in call for call in deployed.checkout.calls())


def test_another_account_is_refused(deployed: Deployed) -> None:
    ended = deployed.checkout.run("--from", "account", "--account", "999999999999")
    assert ended.returncode != 0
    assert "this is account 123456789012, and --account says 999999999999" in ended.stdout
    assert not any(call.startswith("docker") for call in deployed.checkout.calls())


def test_pods_that_do_not_start_fail_the_deployment(
    deployed: Deployed, live_cluster: FakeCluster, tmp_path: Path
) -> None:
    (tmp_path / "values.yaml").write_text("http: {replicas: 1}")
    live_cluster.broken.add("audio-analyzer")
    try:
        ended = deployed.checkout.run("--from", "chart", "--values", str(tmp_path / "values.yaml"), TIMEOUT="10")
    finally:
        live_cluster.broken.clear()
    assert ended.returncode != 0
    assert "Deployment/silver-guardian/audio-analyzer not ready" in ended.stdout, ended.stdout[-3000:]
    assert "deploy: step 'chart' failed" in ended.stdout


def test_changes_without_a_commit_need_a_tag(deployed: Deployed) -> None:
    (deployed.checkout.folder / "helm/note").write_text("a change")
    try:
        ended = deployed.checkout.run("--from", "build")
    finally:
        (deployed.checkout.folder / "helm/note").unlink()
    assert ended.returncode != 0
    assert "commit, or name the images with --tag" in ended.stdout
    assert not any(call.startswith("docker") for call in deployed.checkout.calls())


# --- the end ---


def test_the_documented_removal_removes_everything_in_whatever_state(
    deployed: Deployed, live_cluster: FakeCluster
) -> None:
    """As the page has it, up to Terraform's part: with all there, and again with nothing there."""
    text = (ROOT / "docs/operations.md").read_text().split("## Remove")[1]
    commands = [line.removeprefix("$ ") for line in text.split("```")[1].splitlines() if line.startswith("$ ")]
    in_cluster = [line for line in commands if line.startswith(("helm ", "kubectl "))]
    assert [line for line in commands if line not in in_cluster] == [
        "terraform -chdir=terraform apply -var force_destroy=true    # only to delete media, results and images, too",
        "terraform -chdir=terraform destroy -var force_destroy=true",
    ]
    live_cluster.put("apiservices", {"metadata": {"name": "v1beta1.external.metrics.k8s.io"}})
    variables = deployed.checkout.variables | {"KUBECONFIG": str(deployed.checkout.folder / ".work/deploy/kubeconfig")}
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-euc", "\n".join(in_cluster)], cwd=deployed.checkout.folder, env=variables,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        left = [key for key in live_cluster.objects if key[1] in (NAMESPACE, "keda") or key[0] == "apiservices"]
        assert left == []
        assert not live_cluster.all("configmaps", "kube-system")
