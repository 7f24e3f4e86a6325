"""The scripts that the chart carries into its pods, and the step from Terraform's outputs to values."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.helm.chart import CHART, ROOT

FILES = CHART / "files"
SAMPLES = FILES / "samples"


def run(script: Path, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=False, input=given,
        env=os.environ | variables, timeout=60,
    )  # fmt: skip


# --- fetch_model.py, against an S3 API ---


@pytest.fixture(scope="session")
def aws_variables(emulator: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": emulator, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip


@pytest.fixture(scope="session")
def bucket(emulator: str) -> Any:
    resource: Any = boto3.resource(
        "s3", endpoint_url=emulator, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
    )
    return resource.create_bucket(Bucket="bundles")


def test_a_bundle_is_fetched_whole(tmp_path: Path, bucket: Any, aws_variables: dict[str, str]) -> None:
    source = ROOT / "models" / "voice_activity"
    files = [path for path in source.iterdir() if path.is_file()]
    for path in files:
        bucket.upload_file(str(path), f"models/audio/2/{path.name}")
    bucket.put_object(Key="models/audio/2/sub/notes.txt", Body=b"x")
    bucket.put_object(Key="models/audio/20/model.json", Body=b"another's")
    ended = run(FILES / "fetch_model.py", "s3://bundles/models/audio/2", str(tmp_path), **aws_variables)
    assert ended.returncode == 0, ended.stderr
    for path in files:
        assert (
            hashlib.sha256((tmp_path / path.name).read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()
        )
    assert (tmp_path / "sub/notes.txt").read_text() == "x"


def test_a_prefix_without_a_bundle(tmp_path: Path, bucket: Any, aws_variables: dict[str, str]) -> None:
    ended = run(FILES / "fetch_model.py", "s3://bundles/nothing/here/", str(tmp_path), **aws_variables)
    assert ended.returncode != 0
    assert "no model.json under s3://bundles/nothing/here/" in ended.stderr


def test_a_key_cannot_leave_the_folder(tmp_path: Path, bucket: Any, aws_variables: dict[str, str]) -> None:
    bucket.put_object(Key="evil/../../escaped", Body=b"x")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    ended = run(FILES / "fetch_model.py", "s3://bundles/evil/", str(inside), **aws_variables)
    assert ended.returncode != 0
    assert not (tmp_path / "escaped").exists()


# --- smoke_test.py ---


@pytest.mark.parametrize("sample", ["speech.ogg", "face.mp4"])
def test_a_well_service_passes(sample: str) -> None:
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/helm/pod.py"), ":8000"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = "http://" + server.stdout.readline().split()[2]
        ended = run(FILES / "smoke_test.py", url, str(SAMPLES / sample))
        assert ended.returncode == 0, ended.stdout
        assert f"{sample} judged by played 0: 0.250" in ended.stdout
        # A body that is no upload of the sample is not taken.
        assert run(FILES / "smoke_test.py", url, str(FILES / "fetch_model.py")).returncode == 1
    finally:
        server.terminate()
        server.communicate()


def smoke_test_of(sample: str = str(SAMPLES / "face.mp4"), **pod: str) -> subprocess.CompletedProcess[str]:
    """The smoke test against a played pod, whose state its variables (`POD_...`) set."""
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/helm/pod.py"), ":8000"], stdout=subprocess.PIPE, text=True,
        env=os.environ | pod,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        url = "http://" + server.stdout.readline().split()[2]
        return run(FILES / "smoke_test.py", url, sample)
    finally:
        server.terminate()
        server.communicate()


def test_a_service_that_still_loads_is_waited_for() -> None:
    ended = smoke_test_of(POD_LOADING="2")
    assert ended.returncode == 0, ended.stdout


def test_a_sick_service_fails() -> None:
    ended = smoke_test_of(POD_HEALTH="loading")
    assert ended.returncode == 1
    assert "/health" in ended.stdout


# --- helm_values.py ---

HELM_VALUES = ROOT / "helm/tools/helm_values.py"


def test_outputs_become_values() -> None:
    outputs = {
        "account_id": "1", "region": "r", "media_bucket": "b",
        "repository_urls": {"audio-analyzer": "registry/team/audio-analyzer"},
        "queue_urls": {"audio-analyzer": "https://queue"}, "keda_role_arn": "arn:keda",
        "service_accounts": {"audio-analyzer": {"http": "account", "worker": "account-worker"}},
        "service_role_arns": {"audio-analyzer": {"http": "arn", "worker": "arn-worker"}},
    }  # fmt: skip
    given = {name: {"value": value} for name, value in outputs.items()}
    ended = run(HELM_VALUES, "--tag", "t", given=json.dumps(given))
    values = json.loads(ended.stdout)
    assert values["image"] == {"registry": "registry/team", "tag": "t"}
    assert values["services"]["audio-analyzer"] == {
        "image": {"repository": "audio-analyzer"}, "queueUrl": "https://queue",
        "serviceAccounts": {
            "http": {"name": "account", "roleArn": "arn"},
            "worker": {"name": "account-worker", "roleArn": "arn-worker"},
        },
    }  # fmt: skip
    assert values["autoscaling"] == {"modes": ["keda-sqs"]}
    assert "monitoring" not in values
    keda = json.loads(run(HELM_VALUES, "--for", "keda", given=json.dumps(given)).stdout)
    assert keda == {"podIdentity": {"aws": {"irsa": {"enabled": True, "roleArn": "arn:keda"}}}}
    del given["queue_urls"]
    ended = run(HELM_VALUES, "--tag", "t", given=json.dumps(given))
    assert ended.returncode != 0
    assert "no output queue_urls" in ended.stderr


def test_a_prometheus_turns_monitoring_on_under_its_own_labels(tmp_path: Path) -> None:
    """kube-prometheus-stack selects by the name of its release; without that label nothing is read, and no alert."""
    spec = {"serviceMonitorSelector": {"matchLabels": {"release": "kps"}}, "ruleSelector": {}}
    prometheus = {"metadata": {"name": "p", "namespace": "observing"}, "spec": spec}
    (tmp_path / "prometheus.json").write_text(json.dumps({"items": [prometheus]}))
    doors = {"audio-analyzer": {"http": "a", "worker": "b"}}
    outputs: dict[str, Any] = {
        "account_id": "1", "region": "r", "media_bucket": "b", "keda_role_arn": "arn:keda",
        "repository_urls": {"audio-analyzer": "registry/audio-analyzer"}, "queue_urls": {"audio-analyzer": "https://q"},
        "service_accounts": doors, "service_role_arns": doors,
    }  # fmt: skip
    given = {name: {"value": value} for name, value in outputs.items()}
    asked = ("--prometheus", str(tmp_path / "prometheus.json"))
    values = json.loads(run(HELM_VALUES, "--tag", "t", *asked, given=json.dumps(given)).stdout)
    assert values["monitoring"] == {
        "namespace": "observing", "dashboard": {"enabled": True},
        "serviceMonitor": {"enabled": True, "labels": {"release": "kps"}},
        "prometheusRule": {"enabled": True, "labels": {}},
    }  # fmt: skip
    keda = json.loads(run(HELM_VALUES, "--for", "keda", *asked, given=json.dumps(given)).stdout)
    assert keda["prometheus"] == {
        "operator": {"enabled": True, "serviceMonitor": {"enabled": True, "additionalLabels": {"release": "kps"}}}
    }


def test_an_object_of_s3_is_judged_by_its_name() -> None:
    """The server's own role reads it."""
    ended = smoke_test_of(sample="s3://media/uploads/smoke-test/1/face.mp4")
    assert ended.returncode == 0, ended.stdout
    ended = smoke_test_of(sample="s3://media/uploads/smoke-test/1/face.mp4", POD_FORBIDDEN="1")
    assert ended.returncode == 1
    assert "403" in ended.stdout
    assert "S3 denies access" in ended.stdout


def test_nothing_listens_nothing_passes() -> None:
    """A refused connection is waited out, not taken for an answer: the patience is cut short here."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    code = (
        "import runpy, sys; m = runpy.run_path(sys.argv[1]);"
        "m['get'].__globals__['PATIENCE_SECONDS'] = 0;"
        "sys.exit(m['main'](sys.argv[2], sys.argv[3]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(FILES / "smoke_test.py"), f"http://127.0.0.1:{port}", str(SAMPLES)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stdout.startswith("FAIL")
