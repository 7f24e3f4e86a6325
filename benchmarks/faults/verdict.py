"""What the campaign left behind, held against what it must leave behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.cases import Case, End

Judge = Callable[[bytes], dict[str, Any]]
"""The fields that a result must have for a file's bytes."""

_TOLERANCE = 1e-6


@dataclass
class Tally:
    """The last line's numbers, and a sentence for everything that is not as it must be."""

    messages: int
    results: int = 0
    dead: int = 0
    lost: int = 0
    wrong: int = 0
    duplicated: int = 0
    kills: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.wrong or self.duplicated) and self.results + self.dead == self.messages

    def line(self) -> str:
        names = ("messages", "results", "dead", "lost", "wrong", "duplicated", "kills")
        return " ".join(f"{name}={getattr(self, name)}" for name in names)


@dataclass(frozen=True)
class Left:
    """What lies in the bucket and among the dead letters.

    Attributes:
        results: by the object's key, every version of every result that was ever written for it.
    """

    results: dict[str, list[dict[str, Any]]]
    dead: Counter[str]


@dataclass(frozen=True)
class Standard:
    """What results are held against.

    Attributes:
        judge: the fields that a judged file's result must have.
        versions: the version id of each uploaded object.
        name: the file name that each result must have.
    """

    judge: Judge
    versions: dict[str, str]
    name: str

    def place(self, case: Case) -> str:
        """Where the result must lie."""
        return f"results/{case.key}/{self.versions[str(case.key)]}/{self.name}"


def read_left(s3: Any, sqs: Any, bucket: str, prefix: str, dead_url: str) -> Left:
    """Read everything. The bucket keeps versions, so that a result that was written over is seen."""
    results: dict[str, list[dict[str, Any]]] = {}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for version in page.get("Versions", []):
            name = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
            document = json.loads(s3.get_object(**name)["Body"].read())
            results.setdefault(document["source"]["s3_key"], []).append({**document, "_key": version["Key"]})
    dead: Counter[str] = Counter()
    while found := sqs.receive_message(QueueUrl=dead_url, MaxNumberOfMessages=10).get("Messages"):
        dead.update(message["Body"] for message in found)
        for message in found:
            sqs.delete_message(QueueUrl=dead_url, ReceiptHandle=message["ReceiptHandle"])
    return Left(results, dead)


def compare(cases: Sequence[Case], left: Left, standard: Standard) -> Tally:
    """Count what is lost, wrong or duplicated."""
    tally = Tally(messages=len(cases))
    for case in cases:
        results = left.results.get(case.key, []) if case.key is not None else []
        dead = left.dead[case.body]
        tally.results += bool(results)
        tally.dead += bool(dead)
        if not results and not dead:
            tally.lost += 1
            tally.complaints.append(f"lost: {case.body}")
        if len(results) > 1 or dead > 1:
            tally.duplicated += 1
            tally.complaints.append(f"{len(results)} results and {dead} dead letters: {case.body}")
        if fault := _fault(case, results, dead, standard):
            tally.wrong += 1
            tally.complaints.append(f"wrong: {fault}: {case.body}")
    strange = set(left.results) - {case.key for case in cases}
    strange |= set(left.dead) - {case.body for case in cases}
    tally.wrong += len(strange)
    tally.complaints += [f"nobody asked for {item}" for item in sorted(strange)]
    return tally


def _fault(case: Case, results: list[dict[str, Any]], dead: int, standard: Standard) -> str | None:
    """What is not as it must be, or None."""
    if case.end is End.DEAD:
        return "a result for what can't be answered" if results else None
    if dead:
        return "a dead letter that has, or should have, a result"
    faults = (_result_fault(case, result, standard) for result in results)
    return next((fault for fault in faults if fault), None)


def _result_fault(case: Case, result: dict[str, Any], standard: Standard) -> str | None:
    if result["_key"] != standard.place(case):
        return f"the result lies at {result['_key']}"
    if result["status"] != case.end:
        return f"status {result['status']} instead of {case.end}"
    if case.end is End.JUDGED and (name := _differs(standard.judge(case.data), result)):
        return f"another {name}"
    return "no reason" if case.end is End.FAILED and not result["problem"]["detail"] else None


def _differs(expected: dict[str, Any], found: dict[str, Any]) -> str | None:
    for name, value in expected.items():
        same = abs(found[name] - value) <= _TOLERANCE if isinstance(value, float) else found[name] == value
        if not same:
            return name
    return None
