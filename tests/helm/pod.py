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
        if b'name="file"; filename="' not in body or len(body) < 10_000:
            self._send({"status": 400, "detail": "no file"}, 400)
            return
        name = "manipulation_probability" if b"face.mp4" in body else "deepfake_probability"
        self._send({**REPORT, name: 0.25})


if __name__ == "__main__":
    server = _Server(("127.0.0.1", 0), _Pod)
    (port,) = re.findall(r" :?(\d+)$", " ".join(sys.argv))
    print(f"Forwarding from 127.0.0.1:{server.server_address[1]} -> {port}", flush=True)
    server.serve_forever()
