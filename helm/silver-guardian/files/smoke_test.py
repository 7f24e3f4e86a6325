"""Ask a running service: smoke_test.py URL SAMPLE. Only Python's standard library.

Checks that /health says healthy and that /analyze judges the sample; prints one line, exit status 1 if not.
"""

import json
import os
import sys
import time
import uuid
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

PATIENCE_SECONDS = 300
ANALYSIS_SECONDS = 120
PROBABILITIES = ("deepfake_probability", "manipulation_probability")


def host_header() -> dict:
    """The Host to ask for, where a proxy stands before the service."""
    return {"Host": host} if (host := os.environ.get("SMOKE_HOST")) else {}


def get(url: str) -> dict:
    """The answer of a probe, waited for: a service that starts is not there, or says 503, for a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urlopen(Request(url, headers=host_header()), timeout=5) as answer:  # noqa: S310
                return json.load(answer)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def post_sample(url: str, sample: Path) -> dict:
    """The answer of /analyze for an upload of the sample."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{sample.name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", **host_header()}
    # Any of the configured keys will do.
    if key := os.environ.get("SG_API_KEYS", "").split(",")[0].strip():
        headers["X-API-Key"] = key
    body = head.encode() + sample.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    request = Request(f"{url}/analyze", data=body, headers=headers, method="POST")  # noqa: S310
    with urlopen(request, timeout=ANALYSIS_SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def main(url: str, sample: Path) -> int:
    try:
        health = get(f"{url}/health")
        get(f"{url}/ready")
        report = post_sample(url, sample)
    except HTTPError as error:
        print(f"FAIL {url}: {error.code} {error.read().decode(errors='replace')[:500]}")
        return 1
    except OSError as error:
        print(f"FAIL {url}: {error}")
        return 1
    if health.get("status") != "healthy":
        print(f"FAIL {url}/health: {health}")
        return 1
    scores = [report[name] for name in PROBABILITIES if name in report]
    if report.get("status") != "success" or len(scores) != 1 or not 0 <= scores[0] <= 1:
        print(f"FAIL {url}/analyze did not judge {sample.name}: {report}")
        return 1
    model = report["model"]
    print(f"ok {url}: healthy; {sample.name} judged by {model['name']} {model['version']}: {scores[0]:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/"), Path(sys.argv[2])))
