"""Real servers on free loopback ports: an S3 store (SeaweedFS) and AWS's queue API (moto server)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

REGION = "us-east-1"
_START_SECONDS = 90.0
_GRPC_OFFSET = 10_000


@dataclass(frozen=True)
class AwsServer:
    """One emulated AWS endpoint and the credentials that may do everything there."""

    url: str
    access_key: str = "operator"
    secret_key: str = "operator-secret"

    @property
    def credentials(self) -> dict[str, str]:
        """AWS's own variables, without the endpoint."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """A client of `service` (`s3`, `sqs`, ...) at this endpoint."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                signature_version="s3v4" if service == "s3" else None,
                retries={"mode": "standard", "max_attempts": 5},
                max_pool_connections=64,
            ),
        )


@dataclass(frozen=True)
class S3Server(AwsServer):
    """`reader_*` are credentials of an identity that may do nothing outside the bucket `readable`."""

    reader_access_key: str = "reader"
    reader_secret_key: str = "reader-secret"

    def as_reader(self) -> AwsServer:
        return AwsServer(self.url, self.reader_access_key, self.reader_secret_key)


def aws_environment(s3: AwsServer, other: AwsServer | None = None) -> dict[str, str]:
    """The variables with which a process finds these servers: S3 at one, every other service at the other."""
    environment = {**s3.credentials, "AWS_ENDPOINT_URL_S3": s3.url}
    if other is not None:
        environment |= {"AWS_ENDPOINT_URL_SQS": other.url, "AWS_ENDPOINT_URL_SFN": other.url}
    return environment


@contextmanager
def s3_server(folder: Path | None = None) -> Iterator[S3Server]:
    """SeaweedFS until the block ends; its data lie in `folder` (default: a temporary one)."""
    with ExitStack() as stack:
        data = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sg-s3-")))
        server = S3Server(url="")
        (data / "identities.json").write_text(json.dumps(_identities(server)))
        master, volume, filer, gateway, unused = free_ports(5, also=_GRPC_OFFSET)
        command = [
            str(_tool("weed")), "-logtostderr", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={master}", f"-master.port.grpc={master + _GRPC_OFFSET}", "-master.telemetry=false",
            "-master.volumeSizeLimitMB=128", "-volume.max=2000", "-volume.minFreeSpace=0",
            f"-volume.port={volume}", f"-volume.port.grpc={volume + _GRPC_OFFSET}",
            "-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer + _GRPC_OFFSET}",
            f"-filer.localSocket={data}/filer.sock",
            "-s3", f"-s3.port={gateway}", f"-s3.port.grpc={gateway + _GRPC_OFFSET}",
            f"-s3.localSocket={data}/s3.sock", f"-s3.config={data}/identities.json",
            "-s3.port.iceberg=0", "-s3.port.lance=0", f"-debug.port={unused}",
        ]  # fmt: skip
        process = stack.enter_context(_running(command, data / "weed.log"))
        ready = S3Server(url=f"http://127.0.0.1:{gateway}")
        _wait(process, data / "weed.log", lambda: _s3_writes(ready))
        yield ready


@contextmanager
def aws_server(folder: Path | None = None) -> Iterator[AwsServer]:
    """moto server until the block ends: SQS, Step Functions (state machines really run) and the rest of AWS."""
    with ExitStack() as stack:
        data = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sg-aws-")))
        (port,) = free_ports(1)
        emulator = Path(__file__).with_name("aws_emulator.py")
        command = [sys.executable, str(emulator), "-H", "127.0.0.1", "-p", str(port)]
        process = stack.enter_context(_running(command, data / "moto.log"))
        server = AwsServer(url=f"http://127.0.0.1:{port}")
        _wait(process, data / "moto.log", lambda: server.client("sqs").list_queues() is not None)
        run_state_machines = {"stepfunctions": {"execute_state_machine": True}}
        httpx.post(f"{server.url}/moto-api/config", json=run_state_machines).raise_for_status()
        yield server


@dataclass(frozen=True)
class Queue:
    """A queue and its dead-letter queue."""

    url: str
    dead_url: str


def make_queue(server: AwsServer, name: str, *, visibility_seconds: int = 30, max_receives: int = 3) -> Queue:
    """A queue that moves a message to its dead-letter queue after `max_receives` receives."""
    sqs = server.client("sqs")
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": max_receives})
    attributes = {"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": redrive}
    return Queue(url=sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], dead_url=dead)


def free_ports(count: int, also: int = 0) -> list[int]:
    """Ports that were free on loopback just now, each with port + `also` free as well."""
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            if port + also > 65_535:
                continue
            if also:
                try:
                    held.enter_context(socket.create_server(("127.0.0.1", port + also)))
                except OSError:
                    continue
            ports.append(port)
    return ports


def _identities(server: S3Server) -> dict[str, Any]:
    def identity(name: str, access: str, secret: str, actions: list[str]) -> dict[str, Any]:
        return {"name": name, "credentials": [{"accessKey": access, "secretKey": secret}], "actions": actions}

    everything = ["Admin", "Read", "List", "Tagging", "Write"]
    return {
        "identities": [
            identity("operator", server.access_key, server.secret_key, everything),
            identity("reader", server.reader_access_key, server.reader_secret_key, ["Read:readable", "List:readable"]),
        ]
    }


def _s3_writes(server: S3Server) -> bool:
    """Whether an object can be written: the gateway listens before the first volume is there."""
    s3 = server.client("s3")
    if not any(bucket["Name"] == "readable" for bucket in s3.list_buckets()["Buckets"]):
        s3.create_bucket(Bucket="readable")
    s3.put_object(Bucket="readable", Key="probe", Body=b"x")
    s3.delete_object(Bucket="readable", Key="probe")
    return True


def _tool(name: str) -> Path:
    """A program that was installed beside this Python."""
    return Path(sys.executable).parent / name


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            yield process
        finally:
            # Their data are thrown away, so nothing has to be shut down in order.
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at its start:\n{log.read_text(errors='replace')[-4000:]}")
        try:
            if ready():
                return
        except (BotoCoreError, ClientError):
            if time.monotonic() > end:
                raise
        time.sleep(0.2)
