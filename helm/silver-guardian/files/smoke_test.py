"""Ask a running service: smoke_test.py URL SAMPLE, a file or s3://bucket/key. Only Python's standard library.

Checks that /health says healthy and that /analyze judges the sample; prints one line, exit status 1 if not.
"""

import json
import os
import sys
import time
import uuid
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
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


def upload(sample: Path) -> tuple[bytes, str]:
    """Body and content type of a form that holds the sample."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{sample.name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + sample.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def reference(sample: str) -> tuple[bytes, str]:
    """Body and content type of a request for an object of S3."""
    address = urlsplit(sample)
    return json.dumps({"s3_bucket": address.netloc, "s3_key": address.path[1:]}).encode(), "application/json"


def post_sample(url: str, sample: str) -> dict:
    """The answer of /analyze for the sample."""
    body, kind = reference(sample) if sample.startswith("s3://") else upload(Path(sample))
    headers = {"Content-Type": kind, **host_header()}
    # Any of the configured keys will do.
    if key := os.environ.get("SG_API_KEYS", "").split(",")[0].strip():
        headers["X-API-Key"] = key
    request = Request(f"{url}/analyze", data=body, headers=headers, method="POST")  # noqa: S310
    with urlopen(request, timeout=ANALYSIS_SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def main(url: str, sample: str) -> int:
    name = sample.rsplit("/", 1)[-1]
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
        print(f"FAIL {url}/analyze did not judge {name}: {report}")
        return 1
    model = report["model"]
    print(f"ok {url}: healthy; {name} judged by {model['name']} {model['version']}: {scores[0]:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/"), sys.argv[2]))
