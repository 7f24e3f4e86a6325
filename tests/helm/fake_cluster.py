"""A stand-in for the API server of a live cluster, real enough for helm and kubectl to work with unchanged.

It stores what it is given and answers discovery, reads, writes, patches and watches over HTTP. Controllers are played:
a Deployment has the pods it asks for at once, on nodes whose labels and taints let them, a pod of `helm test` succeeds.
Nothing is checked as a real server would: manifests are validated elsewhere.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.helm import protobuf

Object = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace, name

# group/version, plural, kind, namespaced
RESOURCES = [
    ("v1", "namespaces", "Namespace", False),
    ("v1", "nodes", "Node", False),
    ("v1", "pods", "Pod", True),
    ("v1", "services", "Service", True),
    ("v1", "secrets", "Secret", True),
    ("v1", "configmaps", "ConfigMap", True),
    ("v1", "serviceaccounts", "ServiceAccount", True),
    ("v1", "events", "Event", True),
    ("apps/v1", "deployments", "Deployment", True),
    ("apps/v1", "replicasets", "ReplicaSet", True),
    ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", True),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", True),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", False),
    ("keda.sh/v1alpha1", "scaledobjects", "ScaledObject", True),
    ("keda.sh/v1alpha1", "triggerauthentications", "TriggerAuthentication", True),
    ("http.keda.sh/v1beta1", "interceptorroutes", "InterceptorRoute", True),
    ("networking.k8s.io/v1", "ingresses", "Ingress", True),
    ("apiregistration.k8s.io/v1", "apiservices", "APIService", False),
    ("monitoring.coreos.com/v1", "prometheuses", "Prometheus", True),
    ("monitoring.coreos.com/v1", "servicemonitors", "ServiceMonitor", True),
    ("monitoring.coreos.com/v1", "podmonitors", "PodMonitor", True),
    ("monitoring.coreos.com/v1", "prometheusrules", "PrometheusRule", True),
]
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
ML_NODE: Object = {
    "metadata": {
        "name": "ml-1",
        "labels": {"workload": "ml", "nodeType": "spot", "eks.amazonaws.com/nodegroup": "ml-spot"},
    },
    "spec": {"taints": [{"key": "workload", "value": "ml", "effect": "NoSchedule"}]},
}
GENERAL_NODE: Object = {
    "metadata": {"name": "general-1", "labels": {"eks.amazonaws.com/nodegroup": "general"}},
    "spec": {},
}


def merge(target: Object, patch: Object) -> Object:
    """A JSON merge patch (RFC 7386); a strategic merge of lists is not needed here."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        else:
            target[key] = value
    return target


class FakeCluster:
    """The stored objects, and what the played controllers make of them.

    Attributes:
        broken: names of Deployments whose pods never become ready, and of ScaledObjects that KEDA cannot serve.
        missing: groups whose kinds are not there, such as the Prometheus operator's.
        watching: tests may read the `log` of (method, path) that changed something.
    """

    def __init__(self, nodes: tuple[Object, ...] = (GENERAL_NODE, ML_NODE)) -> None:
        self.objects: dict[Key, Object] = {}
        self.broken: set[str] = set()
        self.missing: set[str] = {"monitoring.coreos.com/v1"}
        self.log: list[tuple[str, str]] = []
        self._versions = itertools.count(1)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._events: list[tuple[int, str, str, Object]] = []
        for name in ("default", "kube-system"):
            self.put("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for node in nodes:
            self.put("nodes", {"apiVersion": "v1", "kind": "Node", **copy.deepcopy(node)})
        handler = type("Handler", (_Handler,), {"cluster": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- storage ---

    def get(self, resource: str, name: str, namespace: str = "") -> Object | None:
        return self.objects.get((resource, namespace, name))

    def all(self, resource: str, namespace: str | None = None) -> list[Object]:
        with self._lock:
            return [o for (r, n, _), o in sorted(self.objects.items()) if r == resource and namespace in (None, n)]

    def put(self, resource: str, item: Object) -> Object:
        """Store an object as the API server would: with a version, and a status by the played controllers."""
        with self._lock:
            meta = item.setdefault("metadata", {})
            key = (resource, meta.get("namespace", ""), meta["name"])
            old = self.objects.get(key)
            version = next(self._versions)
            meta["resourceVersion"] = str(version)
            meta.setdefault("uid", old["metadata"]["uid"] if old else f"uid-{version}")
            meta.setdefault("creationTimestamp", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            meta["generation"] = (old["metadata"]["generation"] if old else 0) + 1
            self.objects[key] = item
            self._play(resource, item)
            self._events.append((version, "MODIFIED" if old else "ADDED", resource, copy.deepcopy(item)))
            self._changed.notify_all()
            return item

    def delete(self, resource: str, namespace: str, name: str) -> Object | None:
        with self._lock:
            item = self.objects.pop((resource, namespace, name), None)
            if item is None:
                return None
            if resource == "deployments":
                self._set_pods(item, 0)
            if resource == "namespaces":
                for key in [k for k in self.objects if k[1] == name]:
                    self.delete(*key)
            version = next(self._versions)
            item["metadata"]["resourceVersion"] = str(version)
            self._events.append((version, "DELETED", resource, item))
            self._changed.notify_all()
            return item

    def events(self, after: int, timeout: float) -> list[tuple[int, str, str, Object]]:
        """Changes after a version, waited for until the time-out."""
        with self._lock:
            found = [e for e in self._events if e[0] > after]
            if not found:
                self._changed.wait(timeout)
                found = [e for e in self._events if e[0] > after]
            return found

    # --- played controllers ---

    def _play(self, resource: str, item: Object) -> None:
        if resource == "namespaces":
            item["status"] = {"phase": "Active"}
        elif resource == "nodes":
            item["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
        elif resource == "customresourcedefinitions":
            item["status"] = {"conditions": [{"type": t, "status": "True"} for t in ("Established", "NamesAccepted")]}
        elif resource in ("scaledobjects", "interceptorroutes"):
            ready = item["metadata"]["name"] not in self.broken
            condition = {"type": "Ready", "status": str(ready), "message": "" if ready else "AccessDenied: sqs"}
            item["status"] = {"conditions": [condition]}
        elif resource == "deployments":
            self._play_deployment(item)
        elif resource == "pods" and "ownerReferences" not in item["metadata"]:
            node = self._node_for(item["spec"])
            if node:
                item["spec"]["nodeName"] = node
            # A test pod ends; a pod that was started by hand runs.
            ends = "helm.sh/hook" in item["metadata"].get("annotations", {})
            ready = bool(node) and not any(item["metadata"]["name"].startswith(name) for name in self.broken)
            item["status"] = {
                "phase": "Pending" if not node else "Succeeded" if ends else "Running",
                "conditions": [{"type": "Ready", "status": str(ready)}],
            }

    def _play_deployment(self, item: Object) -> None:
        spec = item["spec"]
        # KEDA takes what it scales to zero as long as there is no work.
        scaled = item["metadata"]["name"].endswith("-worker")
        spec.setdefault("replicas", 0 if scaled else 1)
        wanted = spec["replicas"]
        ready = 0 if item["metadata"]["name"] in self.broken else self._set_pods(item, wanted)
        conditions = [
            {"type": "Available", "status": "True" if ready == wanted else "False"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ]
        item["status"] = {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": wanted,
            "updatedReplicas": wanted,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": wanted - ready,
            "conditions": conditions,
        }

    def _set_pods(self, item: Object, wanted: int) -> int:
        meta, ready = item["metadata"], 0
        for name in [k[2] for k in self.objects if k[0] == "pods" and k[1] == meta.get("namespace", "")]:
            owners = self.objects["pods", meta["namespace"], name]["metadata"].get("ownerReferences", [])
            if owners and owners[0]["name"] == meta["name"]:
                del self.objects["pods", meta["namespace"], name]
        for number in range(wanted):
            pod = copy.deepcopy(item["spec"]["template"])
            pod.update(apiVersion="v1", kind="Pod")
            pod["metadata"].update(
                name=f"{meta['name']}-{number}",
                namespace=meta["namespace"],
                ownerReferences=[{"kind": "ReplicaSet", "name": meta["name"], "uid": meta["uid"]}],
            )
            node = self._node_for(pod["spec"])
            if node:
                pod["spec"]["nodeName"] = node
                ready += 1
            state = "True" if node else "False"
            pod["status"] = {
                "phase": "Running" if node else "Pending",
                "conditions": [{"type": "Ready", "status": state}],
            }
            self.put("pods", pod)
        return ready

    def _node_for(self, spec: Object) -> str | None:
        for node in self.all("nodes"):
            labels = node["metadata"].get("labels", {})
            selected = all(labels.get(k) == v for k, v in spec.get("nodeSelector", {}).items())
            tolerated = all(
                any(t.get("key") == taint["key"] for t in spec.get("tolerations", []))
                for taint in node["spec"].get("taints", [])
            )
            if selected and tolerated:
                return str(node["metadata"]["name"])
        return None


class _Handler(BaseHTTPRequestHandler):
    cluster: FakeCluster
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _send(self, body: Any, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, status: int, reason: str, message: str) -> None:
        self._send(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "reason": reason,
                "message": message,
                "code": status,
            },
            status,
        )

    def _body(self) -> Any:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if data.startswith(protobuf.MAGIC):
            return protobuf.decode(data)
        return yaml.safe_load(data) if data else None

    def _target(self) -> tuple[tuple[str, str, str, bool], str, str, str] | None:
        """Resource, namespace, name and subresource of the path."""
        parts = urlsplit(self.path).path.strip("/").split("/")
        group, rest = (parts[1], parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces" and any(r[1] == rest[2] for r in RESOURCES):
            namespace, rest = rest[1], rest[2:]
        for resource in RESOURCES:
            if rest and resource[0] == group and resource[1] == rest[0]:
                return resource, namespace, rest[1] if len(rest) > 1 else "", rest[2] if len(rest) > 2 else ""
        return None

    # --- discovery ---

    def _discover(self, path: str) -> Any:
        groups = sorted({r[0] for r in RESOURCES} - self.cluster.missing)
        if path == "/version":
            return {"major": "1", "minor": "35", "gitVersion": "v1.35.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [
                    {
                        "name": g.split("/")[0],
                        "versions": [{"groupVersion": g, "version": g.split("/")[1]}],
                        "preferredVersion": {"groupVersion": g, "version": g.split("/")[1]},
                    }
                    for g in groups
                    if "/" in g
                ],
            }
        if path == "/openapi/v3":
            return {
                "paths": {
                    self._base(g).strip("/"): {"serverRelativeURL": f"/openapi/v3{self._base(g)}"} for g in groups
                }
            }
        if path.startswith("/openapi/v3/"):
            return self._openapi(path.removeprefix("/openapi/v3"))
        for group in groups:
            if path == self._base(group):
                found = [r for r in RESOURCES if r[0] == group]
                return {
                    "kind": "APIResourceList",
                    "apiVersion": "v1",
                    "groupVersion": group,
                    "resources": [
                        {
                            "name": plural,
                            "singularName": kind.lower(),
                            "namespaced": spaced,
                            "kind": kind,
                            "verbs": VERBS,
                        }
                        for _, plural, kind, spaced in found
                    ]
                    + [
                        {
                            "name": f"{plural}/scale",
                            "singularName": "",
                            "namespaced": True,
                            "group": "autoscaling",
                            "version": "v1",
                            "kind": "Scale",
                            "verbs": ["get", "patch", "update"],
                        }
                        for _, plural, _, _ in found
                        if plural == "deployments"
                    ],
                }
        return None

    @staticmethod
    def _base(group: str) -> str:
        return f"/apis/{group}" if "/" in group else f"/api/{group}"

    def _openapi(self, base: str) -> Any:
        """Only what clients look up: that the server validates fields itself."""
        paths = {}
        for group, plural, kind, spaced in RESOURCES:
            if self._base(group) != base:
                continue
            name, _, version = group.rpartition("/")
            operation = {
                "parameters": [{"name": "fieldValidation", "in": "query"}],
                "x-kubernetes-group-version-kind": {"group": name, "version": version, "kind": kind},
                "responses": {},
            }
            space = "/namespaces/{namespace}" if spaced else ""
            paths[f"{base}{space}/{plural}/{{name}}"] = {"patch": operation}
        return {"openapi": "3.0.0", "info": {"title": "fake", "version": "1"}, "paths": paths}

    # --- verbs ---

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        found = self._discover(url.path)
        if found is not None:
            self._send(found)
            return
        target = self._target()
        if target is None:
            self._fail(404, "NotFound", f"{url.path} not found")
            return
        (group, plural, kind, _), namespace, name, sub = target
        if name:
            item = self.cluster.get(plural, name, namespace)
            if item is None:
                self._fail(404, "NotFound", f'{plural} "{name}" not found')
            else:
                self._send(self._scale(item) if sub == "scale" else item)
        elif query.get("watch") in ("true", "1"):
            self._watch(plural, namespace, query)
        else:
            version = max([0, *(e[0] for e in self.cluster._events)])
            items = [o for o in self.cluster.all(plural, namespace or None) if _selected(o, query)]
            self._send(
                {
                    "kind": f"{kind}List",
                    "apiVersion": group,
                    "metadata": {"resourceVersion": str(version)},
                    "items": items,
                }
            )

    def _watch(self, plural: str, namespace: str, query: dict[str, str]) -> None:
        if query.get("sendInitialEvents") == "true":
            self._fail(422, "Invalid", "sendInitialEvents is not known here")
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        deadline = time.monotonic() + float(query.get("timeoutSeconds", "60"))
        try:
            for kind, item in self._stream(plural, namespace, query, deadline):
                data = json.dumps({"type": kind, "object": item}).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _stream(
        self, plural: str, namespace: str, query: dict[str, str], deadline: float
    ) -> Iterator[tuple[str, Object]]:
        seen = int(query.get("resourceVersion") or 0)
        while time.monotonic() < deadline:
            for version, kind, resource, item in self.cluster.events(seen, 0.5):
                seen = max(seen, version)
                if (
                    resource == plural
                    and namespace in ("", item["metadata"].get("namespace", ""))
                    and _selected(item, query)
                ):
                    yield kind, item

    @staticmethod
    def _scale(item: Object) -> Object:
        meta = {k: item["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion")}
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": meta,
            "spec": {"replicas": item["spec"]["replicas"]},
            "status": {"replicas": item["status"]["replicas"]},
        }

    def do_POST(self) -> None:
        self._change(self._create)

    def do_PUT(self) -> None:
        self._change(self._replace)

    def do_PATCH(self) -> None:
        self._change(self._patch)

    def do_DELETE(self) -> None:
        self._change(self._delete)

    def _change(self, verb: Any) -> None:
        body = self._body()
        target = self._target()
        if target is None:
            self._fail(404, "NotFound", f"{self.path} not found")
            return
        dry = "dryRun" in self.path
        self.cluster.log.append((self.command, urlsplit(self.path).path))
        with self.cluster._lock:
            verb(body, *target, dry)

    def _create(self, body: Any, resource: Any, namespace: str, _name: str, _sub: str, dry: bool) -> None:
        if namespace:
            body["metadata"]["namespace"] = namespace
            if self.cluster.get("namespaces", namespace) is None:
                self._fail(404, "NotFound", f'namespaces "{namespace}" not found')
                return
        if self.cluster.get(resource[1], body["metadata"]["name"], namespace):
            self._fail(409, "AlreadyExists", f'{resource[1]} "{body["metadata"]["name"]}" already exists')
            return
        body.setdefault("apiVersion", resource[0])
        body.setdefault("kind", resource[2])
        self._send(body if dry else self.cluster.put(resource[1], body), 201)

    def _replace(self, body: Any, resource: Any, namespace: str, _name: str, _sub: str, dry: bool) -> None:
        if namespace:
            body["metadata"]["namespace"] = namespace
        self._send(body if dry else self.cluster.put(resource[1], body))

    def _patch(self, body: Any, resource: Any, namespace: str, name: str, sub: str, dry: bool) -> None:
        item = self.cluster.get(resource[1], name, namespace)
        if "apply-patch" in self.headers.get("Content-Type", ""):
            if item is None and namespace and self.cluster.get("namespaces", namespace) is None:
                self._fail(404, "NotFound", f'namespaces "{namespace}" not found')
                return
            if namespace:
                body["metadata"]["namespace"] = namespace
            if item is not None:
                # Labels of other managers stay.
                labels = item["metadata"].get("labels", {}) | body["metadata"].get("labels", {})
                body["metadata"]["labels"] = labels
            self._send(body if dry else self.cluster.put(resource[1], body), 200 if item else 201)
            return
        if item is None:
            self._fail(404, "NotFound", f'{resource[1]} "{name}" not found')
            return
        changed = merge(copy.deepcopy(item), body)
        stored = changed if dry else self.cluster.put(resource[1], changed)
        self._send(self._scale(stored) if sub == "scale" else stored)

    def _delete(self, _body: Any, resource: Any, namespace: str, name: str, _sub: str, _dry: bool) -> None:
        if self.cluster.delete(resource[1], namespace, name) is None:
            self._fail(404, "NotFound", f'{resource[1]} "{name}" not found')
        else:
            self._send({"kind": "Status", "apiVersion": "v1", "status": "Success"})


def _selected(item: Object, query: dict[str, str]) -> bool:
    labels = item["metadata"].get("labels", {})
    for part in filter(None, query.get("labelSelector", "").split(",")):
        key, _, value = part.replace("==", "=").partition("=")
        if labels.get(key.rstrip("!")) != value:
            return False
    for part in filter(None, query.get("fieldSelector", "").split(",")):
        key, _, value = part.replace("==", "=").partition("=")
        found: Any = item
        for step in key.rstrip("!").split("."):
            found = (found or {}).get(step, "")
        if (str(found) == value) == key.endswith("!"):
            return False
    return True
