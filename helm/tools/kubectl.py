"""kubectl, as the checks of a live cluster use it. Only Python's standard library."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

ROUTES = "interceptorroutes.http.keda.sh"


class CheckFailed(Exception):
    """A check did not hold; the message is its line."""


class Cluster:
    """kubectl, with the namespace of the services."""

    def __init__(self, namespace: str, timeout: float) -> None:
        self.namespace = namespace
        self.timeout = timeout
        self.woken: set[str] = set()

    def run(self, *arguments: str, given: str | None = None) -> str:
        """The output of kubectl.

        Raises:
            CheckFailed: kubectl failed; the message is its last line.
        """
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, input=given, check=False)  # noqa: S607
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"kubectl {arguments[0]} failed"]
            raise CheckFailed(lines[-1])
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("get", *arguments, "-o", "json"))
        return found

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(*arguments)["items"]
        return found

    def exists(self, kind: str, name: str) -> bool:
        with contextlib.suppress(CheckFailed):
            self.run("get", kind, name, "-n", self.namespace)
            return True
        return False

    # --- services ---

    def replicas(self, service: str) -> int:
        deployment = self.get("deployment", service, "-n", self.namespace)
        return int(deployment["spec"].get("replicas", 1))

    def has_server(self, service: str) -> bool:
        """Whether something answers: a server, one of our own for now, or the interceptor that wakes one."""
        return service in self.woken or self.replicas(service) > 0 or self.scaled_by_requests(service)

    def scaled_by_requests(self, service: str) -> bool:
        return self.exists(ROUTES, service)

    @contextlib.contextmanager
    def awake(self, services: tuple[str, ...]) -> Iterator[None]:
        """A ready server of each service that has none, for as long as this lasts.

        It is a pod of its own by the Deployment's template, found by the Service: `kubectl scale` would take the number
        of replicas out of helm's hands, and a later change of it would be refused as a conflict.
        """
        asleep = [s for s in services if not self.has_server(s)]
        try:
            for service in asleep:
                self.start_pod(service)
            for service in asleep:
                patience = f"--timeout={self.timeout:.0f}s"
                self.run("wait", "--for=condition=Ready", f"pod/{service}-verify", "-n", self.namespace, patience)
            self.woken.update(asleep)
            yield
        finally:
            self.woken.clear()
            for service in asleep:
                self.stop_pod(service)

    def start_pod(self, service: str) -> None:
        template = self.get("deployment", service, "-n", self.namespace)["spec"]["template"]
        meta = template["metadata"] | {"name": f"{service}-verify"}
        self.stop_pod(service, "--wait=true")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
        self.run("create", "-f", "-", "-n", self.namespace, given=json.dumps(pod))

    def stop_pod(self, service: str, wait: str = "--wait=false") -> None:
        self.run("delete", "pod", f"{service}-verify", "-n", self.namespace, "--ignore-not-found", wait)

    @contextlib.contextmanager
    def forwarded(self, target: str, port: int, namespace: str) -> Iterator[str]:
        """The address of a port-forward to a Service."""
        command = ["kubectl", "port-forward", "-n", namespace, f"service/{target}", f":{port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if not found:
                raise CheckFailed(f"no port-forward to {target}: {line.strip() or 'kubectl ended'}")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()
            process.wait(10)

    @contextlib.contextmanager
    def reached(self, service: str) -> Iterator[tuple[str, str | None]]:
        """Where the service answers, and the Host it must be asked by."""
        port = int(self.get("service", service, "-n", self.namespace)["spec"]["ports"][0]["port"])
        if self.scaled_by_requests(service):
            # The interceptor wakes the service, as it does for every caller.
            host = self.get(ROUTES, service, "-n", self.namespace)["spec"]["rules"][0]["hosts"][0]
            with self.forwarded("keda-add-ons-http-interceptor-proxy", 8080, "keda") as url:
                yield url, str(host)
        else:
            with self.forwarded(service, port, self.namespace) as url:
                yield url, None
