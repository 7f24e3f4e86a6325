"""Uses the client that openapi-python-client made for the test service at the address given."""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import sys
from io import BytesIO

from made_client import AuthenticatedClient, Client
from made_client.api.default import analyze, delete_job, read_job, ready
from made_client.models import (
    AnalyzeForm,
    AnalyzeFormPolicy,
    AnalyzeLang,
    AnalyzePolicy,
    BytesReport,
    Job,
    JobStatus,
    Problem,
    Readiness,
    S3Request,
    StageProgress,
    UrlRequest,
    Verdict,
)
from made_client.types import File


def media(data: bytes) -> File:
    return File(payload=BytesIO(data), file_name="clip.mp4", mime_type="video/mp4")


def main(address: str) -> None:
    client = Client(base_url=address)
    assert isinstance(ready.sync(client=client), Readiness)

    report = analyze.sync(
        client=client,
        body=media(b"MEDIA film"),
        sample_rate=3,
        policy=AnalyzePolicy.HIGH_RECALL,
        lang=AnalyzeLang.KO,
    )
    assert isinstance(report, BytesReport)
    assert report.summary.endswith("여기십시오.")
    assert report.reasons[-1].code == "verify"
    assert (report.sample_rate, report.policy, report.verdict) == (3, "high_recall", Verdict.UNCERTAIN)
    assert report.thresholds.likely_deepfake == 0.3
    assert report.policy_rates is None

    form = AnalyzeForm(file=media(b"MEDIA film"), sample_rate=5, policy=AnalyzeFormPolicy.LOW_FALSE_ALARM)
    report = AuthenticatedClient(base_url=address, token="any")
    report = analyze.sync(client=report, body=form)
    assert isinstance(report, BytesReport)
    assert (report.sample_rate, report.bytes_read) == (5, 10)
    assert report.policy_rates.detection_rate == 0.5

    url = UrlRequest(url="https://media.example/clip.mp4")
    for body, status in ((media(b"text"), 415), (S3Request(s3_bucket="media", s3_key="clip.mp4"), 403), (url, 403)):
        problem = analyze.sync(client=client, body=body)
        assert isinstance(problem, Problem)
        assert problem.status == status
        assert problem.detail

    job = analyze.sync(client=client, body=media(b"MEDIA film"), prefer="respond-async")
    while isinstance(job, Job) and job.status in (JobStatus.QUEUED, JobStatus.RUNNING):
        assert job.progress is None or isinstance(job.progress, StageProgress)
        job = read_job.sync(job.id, client=client)
    assert isinstance(job, Job)
    assert isinstance(job.result, BytesReport)
    assert (job.problem, job.progress) == (None, None)
    assert job.expires > job.created
    assert delete_job.sync_detailed(job.id, client=client).status_code == 204
    assert isinstance(read_job.sync(job.id, client=client), Problem)


if __name__ == "__main__":
    main(sys.argv[1])
