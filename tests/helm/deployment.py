"""A checkout in which deploy-ml-services.sh runs against an AWS emulator and a played cluster, with the real tools."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.helm.chart import ROOT, helm
from tests.helm.fake_cluster import FakeCluster
from tests.terraform.conftest import TERRAFORM_RC

TOOLS = ("git", "aws", "docker", "terraform", "kubectl", "helm")
COPIED = ("deploy-ml-services.sh", "helm", "terraform")
# A ceiling for a busy machine, not an expectation.
SECONDS = 1800
# A chart that shows the values it was given; the real ones come from repositories that are not reached here.
VALUES_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}-values}}
data: {{values: {{{{ toJson .Values | quote }}}}}}
"""


INTERCEPTOR = """\
apiVersion: v1
kind: Service
metadata: {name: keda-add-ons-http-interceptor-proxy}
spec: {ports: [{port: 8080}]}
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@dataclass
class Checkout:
    """A committed copy of what the script needs.

    Attributes:
        folder: the copy.
        variables: environment of the script.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def calls_file(self) -> Path:
        return Path(self.variables["CALLS"])

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[str]:
        with log.open("w") as out:
            return subprocess.Popen(
                ["./deploy-ml-services.sh", *arguments],
                cwd=self.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """The script's end, with both streams in stdout, and only its calls in the file of calls."""
        self.calls_file.write_text("")
        return subprocess.run(
            ["./deploy-ml-services.sh", *arguments], cwd=self.folder, env=self.variables | variables, input=given,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()


def make_checkout(folder: Path, cluster: FakeCluster, repository: str, emulator: str) -> Checkout:
    checkout = folder / "checkout"
    ignored = shutil.ignore_patterns(
        ".terraform*", "*.tfstate*", "terraform.tfvars", "backend.tf", "__pycache__", "tests"
    )
    for name in COPIED:
        source, target = ROOT / name, checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored if name == "terraform" else None)
        else:
            shutil.copy(source, target)
    shutil.copy(ROOT / ".gitignore", checkout)
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "everything")

    bin_ = folder / "bin"
    bin_.mkdir()
    for tool in TOOLS:
        (bin_ / tool).symlink_to(ROOT / "tests/helm/standin.sh")
    # The environment of the tests holds the real aws; python3 is the system's, as an operator has it, and no shim of a
    # version manager, which would put its own tools before these.
    (bin_ / "python3").symlink_to(Path(sys.base_prefix) / "bin/python3")
    real_path = os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent)])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "SG_", "KUBE"))}
    variables = kept | {
        "PATH": f"{bin_}{os.pathsep}{real_path}", "REAL_PATH": real_path, "PYTHON": sys.executable,
        "CALLS": str(folder / "calls"), "CLUSTER_URL": cluster.url, "HOME": str(folder),
        "KEDA_REPO": repository, "AUTOSCALER_REPO": repository, "TIMEOUT": "300",
        "AWS_ENDPOINT_URL": emulator, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "ap-northeast-2", "AWS_EC2_METADATA_DISABLED": "true",
        "TF_VAR_local": "true", "TF_VAR_cluster_endpoint_public_access_cidrs": '["203.0.113.7/32"]',
        "TF_CLI_CONFIG_FILE": str(TERRAFORM_RC), "TF_IN_AUTOMATION": "1",
        "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1",
    }  # fmt: skip
    return Checkout(checkout, variables)


@contextmanager
def chart_repository(folder: Path) -> Iterator[str]:
    """Address of a helm repository with charts by the names and versions that the script asks for."""
    lines = (ROOT / "helm/versions.env").read_text().splitlines()
    known = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    versions = {
        name: known[variable]
        for name, variable in (
            ("keda", "KEDA_VERSION"),
            ("keda-add-ons-http", "KEDA_HTTP_VERSION"),
            ("cluster-autoscaler", "AUTOSCALER_VERSION"),
        )
    }
    served = folder / "repository"
    for name, version in versions.items():
        source = folder / "sources" / name
        (source / "templates").mkdir(parents=True)
        (source / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {version}\n")
        (source / "templates/values.yaml").write_text(VALUES_MAP.format(name=name))
        if name == "keda-add-ons-http":
            (source / "templates/interceptor.yaml").write_text(INTERCEPTOR)
        helm("package", str(source), "-d", str(served))
    helm("repo", "index", str(served))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
