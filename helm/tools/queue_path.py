"""The way of every upload, tried on a live cluster: bucket, event, queue, KEDA, node, worker, result.

Needs aws, signed in to the cluster's account. Only Python's standard library.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubectl import CheckFailed, Cluster

SAMPLES = {"audio-analyzer": "speech.ogg", "video-analyzer": "face.mp4"}
FOLDER = Path(__file__).resolve().parents[1] / "silver-guardian" / "files" / "samples"
POLL_SECONDS = 2

AskServer = Callable[[Cluster, str, str], None]


@dataclass(frozen=True)
class QueuePath:
    """Where a service's worker takes from and writes to, by its own settings."""

    service: str
    region: str
    queue_url: str
    bucket: str
    uploads: str
    results: str

    @property
    def kind(self) -> str:
        return self.service.removesuffix("-analyzer")


def path_of(cluster: Cluster, service: str) -> QueuePath | None:
    """The settings of a service's worker; None where it has no queue."""
    name = f"{service}-worker"
    if not cluster.exists("deployment", name):
        return None
    (container,) = cluster.get("deployment", name, "-n", cluster.namespace)["spec"]["template"]["spec"]["containers"]
    given = {item["name"]: item.get("value", "") for item in container["env"]}
    bucket, _, prefix = given["SG_S3_ALLOW"].split(",")[0].partition("/")
    return QueuePath(
        service, given["AWS_REGION"], given["SG_QUEUE_URL"], bucket, f"{prefix}/", given["SG_RESULTS_PREFIX"]
    )


def aws(region: str, *arguments: str) -> str:
    """What one call prints.

    Raises:
        CheckFailed: there is no aws, or it failed; the message is its last line.
    """
    if shutil.which("aws") is None:
        raise CheckFailed("aws is not on PATH")
    command = ["aws", *arguments, "--region", region]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CheckFailed((done.stderr.strip().splitlines() or ["aws failed"])[-1])
    return done.stdout


def check_dead_letters(cluster: Cluster, service: str) -> str:
    path = path_of(cluster, service)
    if path is None:
        return f"{service} has no queue"
    found = attributes(path, path.queue_url, "RedrivePolicy")
    if "RedrivePolicy" not in found:
        raise CheckFailed(f"{service}: its queue has no dead-letter queue")
    name = json.loads(found["RedrivePolicy"])["deadLetterTargetArn"].rsplit(":", 1)[1]
    # In the same account and region, as SQS wants it.
    dead = attributes(path, f"{path.queue_url.rsplit('/', 1)[0]}/{name}", "ApproximateNumberOfMessages")
    count = int(dead["ApproximateNumberOfMessages"])
    if count:
        raise CheckFailed(
            f"{count} messages in {name}: see the workers' logs; docs/operations.md says how to send them again"
        )
    return f"none in {name}"


def attributes(path: QueuePath, url: str, *names: str) -> dict[str, str]:
    asked = ("--queue-url", url, "--attribute-names", *names, "--output", "json")
    text = aws(path.region, "sqs", "get-queue-attributes", *asked)
    found: dict[str, str] = json.loads(text or "{}").get("Attributes", {})
    return found


def check_queue_path(cluster: Cluster, ask_server: AskServer | None) -> str:
    """Uploads the samples and waits for each service's result of its own; removes both again.

    Args:
        cluster: where the workers run.
        ask_server: also has a service's server judge the uploaded object (cluster, service, s3://…).
    """
    paths = [path for service in SAMPLES if (path := path_of(cluster, service))]
    if not paths:
        return "no service has a queue"
    first = paths[0]
    run = f"{first.uploads}smoke-test/{uuid.uuid4().hex}/"
    uploads, results = f"s3://{first.bucket}/{run}", f"s3://{first.bucket}/{first.results}{run}"
    try:
        aws(first.region, "s3", "cp", "--recursive", "--only-show-errors", str(FOLDER), uploads)
        if ask_server:
            for path in paths:
                ask_server(cluster, path.service, uploads + SAMPLES[path.service])
        lines = wait_for_results(cluster, paths, results)
    finally:
        for place in (uploads, results):
            aws(first.region, "s3", "rm", "--recursive", "--only-show-errors", place)
    return "; ".join(lines)


def wait_for_results(cluster: Cluster, paths: list[QueuePath], results: str) -> list[str]:
    """What each service's result says.

    Raises:
        CheckFailed: one does not come in time, or says that the sample was not judged.
    """
    deadline = time.monotonic() + cluster.timeout
    with tempfile.TemporaryDirectory() as name:
        while True:
            aws(paths[0].region, "s3", "cp", "--recursive", "--only-show-errors", results, name)
            # RESULTS/KEY/VERSION/KIND-MODEL.json
            found = {path: list(Path(name).glob(f"{SAMPLES[path.service]}/*/{path.kind}-*.json")) for path in paths}
            if all(found.values()):
                return [judged(path, files[0]) for path, files in found.items()]
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
    late = next(path for path, files in found.items() if not files)
    seconds = f"{cluster.timeout:.0f} s"
    raise CheckFailed(f"{late.service}: no result of an upload after {seconds}; {state(cluster, late)}")


def judged(path: QueuePath, result: Path) -> str:
    report = json.loads(result.read_text())
    if report.get("status") != "success":
        raise CheckFailed(f"{path.service}: the sample's result is {report.get('status')}: {report.get('message')}")
    model = report["model"]
    return f"{path.service}: an upload was judged by a worker with {model['name']} {model['version']}"


def state(cluster: Cluster, path: QueuePath) -> str:
    """Where an upload is stuck, in a few words."""
    counted = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    waiting, taken = (attributes(path, path.queue_url, *counted).get(name, "?") for name in counted)
    name = f"{path.service}-worker"
    status = cluster.get("deployment", name, "-n", cluster.namespace).get("status", {})
    pods = f"{status.get('readyReplicas', 0)} of {status.get('replicas', 0)} workers ready"
    return (
        f"messages waiting {waiting}, being worked on {taken}; {pods} (kubectl describe scaledobject,deployment {name})"
    )
