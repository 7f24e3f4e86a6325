# ruff: noqa: E501 - a table
"""Break each rule of the chart and the deployment, one at a time, and see that a test notices.

usage: python -m tests.helm.mutations [WORD]   (by hand, in .venv-infra, with helm, kubectl and promtool on PATH)

Works on a copy; WORD picks the mutations whose text holds it. Prints one line each; exit status 1 if one survives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
T = "helm/silver-guardian/templates/"
V = "helm/silver-guardian/values.yaml"
EKS = "helm/silver-guardian/values-eks.yaml"

# file, text, what it becomes, tests that must notice
MUTATIONS = [
    (V, "nodeSelector: {workload: ml, nodeType: spot}", "nodeSelector: {workload: ml}", "pods"),
    (V, "value: ml, effect: NoSchedule", "value: ml, effect: NoExecute", "pods"),
    (V, "requests: {cpu: 500m,", "requests: {cpu: 600m,", "pods"),
    (V, 'limits: {cpu: "2", memory: 3Gi', 'limits: {cpu: "2", memory: 4Gi', "pods"),
    (V, "port: 8001", "port: 8002", "pods"),
    (V, "sizeLimit: 9Gi", "sizeLimit: 4Gi", "pods"),
    (V, "ephemeral-storage: 10Gi", "ephemeral-storage: 1Gi", "pods"),
    (V, "graceSeconds: 75", "graceSeconds: 90", "pods"),
    (T + "_pod.tpl", "path: /ready, port: http}\n  periodSeconds: 5", "path: /health, port: http}\n  periodSeconds: 5", "pods"),
    (T + "_pod.tpl", "livenessProbe:\n  httpGet: {path: /health", "livenessProbe:\n  httpGet: {path: /ready", "pods"),
    (T + "_pod.tpl", '{{- if eq .role "http" }}\nlifecycle', '{{- if eq .role "none" }}\nlifecycle', "pods"),
    (T + "_pod.tpl", "work,tmp,model", "work", "pods"),
    (T + "_pod.tpl", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "pods"),
    (T + "_pod.tpl", "SG_MAX_WAITING", "SG_MAX_WAIT", "pods"),
    (T + "_helpers.tpl", '"http")) "1" }}true', '"http")) "" }}true', "pods"),
    (T + "_validate.tpl", '(list "on" "true" "yes" "1")', "(list)", "pods"),
    (T + "_helpers.tpl", '(list "" "0")', '(list "")', "pods"),
    (T + "networkpolicy.yaml", '{{- with $peer }}\n        - podSelector', '{{- with dict }}\n        - podSelector', "access"),
    (T + "_pod.tpl", "value: 0.0.0.0", "value: 127.0.0.1", "pods"),
    (T + "_pod.tpl", "emptyDir:\n      sizeLimit: {{ .service.workDir", "emptyDir:\n      medium: Memory\n      sizeLimit: {{ .service.workDir", "pods"),
    (T + "_helpers.tpl", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "pods"),
    (T + "_helpers.tpl", "runAsNonRoot: true", "runAsNonRoot: false", "pods"),
    (T + "_helpers.tpl", "drop: [ALL]", "drop: [NET_RAW]", "pods"),
    (T + "deployment.yaml", "ScheduleAnyway", "DoNotSchedule", "pods"),
    (T + "deployment.yaml", "maxUnavailable: 0", "maxUnavailable: 1", "pods"),
    (T + "_validate.tpl", "gt $seconds 100", "gt $seconds 1000", "pods"),
    (T + "tests/smoke.yaml", "restartPolicy: Always", "terminationMessagePath: /tmp/x", "pods"),
    (T + "service.yaml", 'include "sg.selectorLabels" $pod', 'include "sg.commonLabels" $', "pods"),
    (EKS, "replicas: 0", "replicas: 1", "autoscaling"),
    (EKS, "modes: [keda-sqs]", "modes: [none]", "autoscaling"),
    (V, "minReplicas: 0\n    maxReplicas: 5\n    # Messages", "minReplicas: 1\n    maxReplicas: 5\n    # Messages", "autoscaling"),
    (T + "_helpers.tpl", '{{- if not (has "keda-sqs" $modes) }}', "{{- if true }}", "autoscaling"),
    (T + "_validate.tpl", "(lt (int .Values.autoscaling.cpu.minReplicas) 1)", "false", "autoscaling"),
    (T + "_validate.tpl", '(has "keda-http" $modes) (has "keda-cpu" $modes)', "false true", "autoscaling"),
    (T + "_validate.tpl", "gt (int $scaling.minReplicas)", "gt -1", "autoscaling"),
    (T + "_validate.tpl", '(has "keda-sqs" $modes) (not $service.queueUrl)', "false true", "autoscaling"),
    (T + "scaledobject.yaml", 'scaleOnInFlight: "true"', 'scaleOnInFlight: "false"', "autoscaling"),
    (T + "scaledobject.yaml", "provider: aws\n", "provider: aws-eks\n", "autoscaling"),
    (T + "networkpolicy.yaml", "append $namespaces $.Values.autoscaling.kedaNamespace", "$namespaces", "access"),
    (T + "networkpolicy.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "access"),
    (T + "networkpolicy.yaml", "except: [169.254.169.254/32]", "except: [169.254.169.253/32]", "access"),
    (T + "networkpolicy.yaml", "port: 443", "port: 80", "access"),
    (T + "networkpolicy.yaml", "operator: In\n", "operator: NotIn\n", "access"),
    (T + "poddisruptionbudget.yaml", "maxUnavailable: 1", "minAvailable: 1", "access"),
    (T + "poddisruptionbudget.yaml", '"role" "http"', '"role" "worker"', "spot"),
    (V, "marginSeconds: 10", "marginSeconds: 4", "spot"),
    (T + "_validate.tpl", "if not .Values.apiKeys.existingSecret", "if false", "ingress"),
    ("helm/silver-guardian/values-ingress-alb.yaml", "idle_timeout.timeout_seconds=330", "idle_timeout.timeout_seconds=60", "ingress"),
    ("helm/silver-guardian/values-ingress-nginx.yaml", "proxy-body-size: 2g", "proxy-body-size: 1g", "ingress"),
    (T + "networkpolicy.yaml", "append $namespaces $.Values.ingress.controllerNamespace", "$namespaces", "ingress"),
    ("helm/versions.env", "KEDA_VERSION=2.20.2", "KEDA_VERSION=2.20.1", "versions"),
    ("helm/versions.env", "KUBERNETES_NEWEST=1.35", "KUBERNETES_NEWEST=1.36", "versions"),
    (T + "poddisruptionbudget.yaml", "AlwaysAllow", "IfHealthyBudget", "access"),
    (T + "service.yaml", "eks.amazonaws.com/role-arn:", "eks.amazonaws.com/role:", "access"),
    (T + "_helpers.tpl", '(eq .role "worker" | ternary "worker" "http")', '"http"', "access"),
    (T + "scaledobject.yaml", "interceptorRoute: {{ $name }}", "interceptorRoute: {{ $name }}-worker", "autoscaling"),
    (T + "scaledobject.yaml", "readiness: {{ $scaling.http.readinessSeconds }}s", "readiness: 20s", "autoscaling"),
    (T + "monitoring.yaml", "jobLabel: app.kubernetes.io/name", "jobLabel: app", "monitoring"),
    (T + "prometheusrule.yaml", 'status="500"', 'status=~"5.."', "monitoring"),
    (T + "prometheusrule.yaml", "|deadline-exceeded|", "|not-media|", "monitoring"),
    (T + "prometheusrule.yaml", "unless on (scaledObject)", "and on (scaledObject)", "monitoring"),
    (T + "prometheusrule.yaml", "silver_guardian_queue_age_seconds_bucket", "silver_guardian_queue_age_bucket", "monitoring"),
    (T + "prometheusrule.yaml", "[1h:1m])) >=", "[1h:1m])) >", "monitoring"),
    (T + "prometheusrule.yaml", 'absent(keda_scaler_active', 'count(keda_scaler_active', "monitoring"),
    (T + "prometheusrule.yaml", "or increase(keda_scaler_detail_errors_total", "or increase(keda_scaler_errors_total", "monitoring"),
    (T + "prometheusrule.yaml", "unless on (job) up{", "and on (job) up{", "monitoring"),
    (V, "labels: {release: kube-prometheus-stack}", "labels: {}", "monitoring"),
    ("helm/silver-guardian/dashboards/overview.json", "silver_guardian_verdicts_total", "silver_guardian_verdict_total", "monitoring"),
    (V, "pollingInterval: 15\n", "pollingInterval: 15\n    surprise: 1\n", "chart"),
    (T + "deployment.yaml", "revisionHistoryLimit", "revisionHistory", "chart"),
    ("k8s/ml-services/audio-analyzer.yaml", "memory: 512Mi", "memory: 513Mi", "chart"),
    (T + "_helpers.tpl", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "policy"),
    ("helm/silver-guardian/files/fetch_model.py", "is_relative_to(folder.resolve())", "is_absolute()", "scripts"),
    ("helm/tools/helm_values.py", '"queueUrl": queues[service]', '"queueUrl": ""', "scripts"),
    ("helm/tools/verify_cluster.py", 'raise CheckFailed(f"a plain pod landed', 'print(f"a plain pod landed', "verify_cluster"),
    ("helm/tools/helm_values.py", '"additionalLabels": labels', '"additionalLabels": {}', "scripts"),
    ("helm/tools/kubectl.py", "                self.stop_pod(service)\n\n", "                pass\n\n", "verify_cluster"),
    ("helm/tools/verify_cluster.py", 'if ready["status"] != "True":', "if False:", "verify_cluster"),
    ("helm/tools/queue_path.py", "    if count:", "    if False:", "verify_cluster"),
    ("helm/tools/verify_cluster.py", "if strangers:", "if False:", "verify_cluster"),
    ("helm/tools/verify_cluster.py", "if bare:", "if False:", "verify_cluster"),
]  # fmt: skip
NEEDED = ("helm", "k8s", "tests", "terraform", "docs", "libs/common/src", "models/voice_activity")
FILES = ("deploy-ml-services.sh", "pyproject.toml", ".gitignore")


def copy_checkout(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*")
    for name in NEEDED:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    for name in (".venv", ".venv-infra"):
        (folder / name).symlink_to(ROOT / name)


def run(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "--confcutdir=tests/helm"]
    return subprocess.run(
        [*command, f"tests/helm/test_{tests}.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def main(word: str = "") -> int:
    survivors = 0
    passing: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_checkout(folder)
        for file, old, new, tests in MUTATIONS:
            title = f"{Path(file).name}: {' '.join(old.split())} -> {' '.join(new.split())}"
            if word not in title:
                continue
            text = (folder / file).read_text()
            if old not in text:
                print(f"STALE    {title}", flush=True)
                survivors += 1
                continue
            # Tests that fail anyway would notice everything.
            if tests not in passing:
                done = run(folder, tests)
                if done.returncode != 0:
                    print(f"tests/helm/test_{tests}.py fails without a mutation\n{done.stdout[-4000:]}")
                    return 1
                passing.add(tests)
            (folder / file).write_text(text.replace(old, new))
            done = run(folder, tests)
            (folder / file).write_text(text)
            lines = done.stdout.splitlines()
            failed = [
                line.split("::")[1].split(" ")[0]
                for line in lines
                if line.startswith(("FAILED", "ERROR")) and "::" in line
            ]
            refused = [line for line in lines if "ChartRefused" in line and not failed]
            word_ = "noticed" if done.returncode == 1 or refused else "SURVIVED"
            survivors += word_ == "SURVIVED"
            print(f"{word_:<8} {title}   [{(failed or refused or ['?'])[0]}]", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
