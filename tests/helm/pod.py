"""Plays `kubectl port-forward` and the service behind it: answers /health and /analyze as the services do.

POD_HEALTH may hold another status than healthy, POD_LOADING how often /ready says 503 first. An upload is answered
only when it is one.
"""

from __future__ import annotations

import json
import os
import re
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

REPORT = {"status": "success", "model": {"name": "played", "version": "0", "variant": "fp32"}}


class _Server(HTTPServer):
    loading = int(os.environ.get("POD_LOADING", "0"))


class _Pod(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def _send(self, body: Any, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.path == "/ready" and self.server.loading > 0:
            self.server.loading -= 1
            self._send({"status": 503}, 503)
            return
        self._send({"status": os.environ.get("POD_HEALTH", "healthy"), "host": self.headers["Host"]})

    def do_POST(self) -> None:
        if self.server.loading > 0:
            self._send({"status": 503}, 503)
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] == "application/json":
            self._answer_reference(json.loads(body))
            return
        if b'name="file"; filename="' not in body or len(body) < 10_000:
            self._send({"status": 400, "detail": "no file"}, 400)
            return
        self._send({**REPORT, score_of(str(body)): 0.25})

    def _answer_reference(self, body: dict[str, str]) -> None:
        """As the server's role lets it: POD_FORBIDDEN makes S3 deny."""
        if os.environ.get("POD_FORBIDDEN"):
            self._send({"status": 403, "detail": f"S3 denies access to {body['s3_key']}"}, 403)
        else:
            self._send({**REPORT, score_of(body["s3_key"]): 0.25})


def score_of(sample: str) -> str:
    return "manipulation_probability" if "face.mp4" in sample else "deepfake_probability"


if __name__ == "__main__":
    server = _Server(("127.0.0.1", 0), _Pod)
    (port,) = re.findall(r" :?(\d+)$", " ".join(sys.argv))
    print(f"Forwarding from 127.0.0.1:{server.server_address[1]} -> {port}", flush=True)
    server.serve_forever()
