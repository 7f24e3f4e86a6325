"""The policy evaluator itself: it must not say yes where AWS says no."""

from __future__ import annotations

from typing import Any

import pytest

from tests.terraform.iam import Request, admits, allowed


def policy(**statement: Any) -> list[dict[str, Any]]:
    return [{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | statement]}]


def test_nothing_is_allowed_by_default() -> None:
    assert not allowed([], Request("s3:GetObject", "arn:aws:s3:::b/k"))


def test_wildcards_match_actions_regardless_of_case_and_resources_with_case() -> None:
    documents = policy(Action="S3:Get*", Resource="arn:aws:s3:::b/uploads/*")
    assert allowed(documents, Request("s3:GetObject", "arn:aws:s3:::b/uploads/u1/clip.mp4"))
    assert not allowed(documents, Request("s3:PutObject", "arn:aws:s3:::b/uploads/u1/clip.mp4"))
    assert not allowed(documents, Request("s3:GetObject", "arn:aws:s3:::b/Uploads/u1/clip.mp4"))
    assert not allowed(documents, Request("s3:GetObject", "arn:aws:s3:::b/uploads"))


def test_deny_wins() -> None:
    documents = policy() + policy(Effect="Deny", Resource="arn:aws:s3:::b/secret")
    assert allowed(documents, Request("s3:GetObject", "arn:aws:s3:::b/open"))
    assert not allowed(documents, Request("s3:GetObject", "arn:aws:s3:::b/secret"))


@pytest.mark.parametrize(
    ("operator", "expected", "value", "holds"),
    [
        ("StringEquals", "a*", "abc", False),
        ("StringLike", "a*", "abc", True),
        ("StringLike", ["x", "a?c"], "abc", True),
        ("StringLike", "a*", "b", False),
        ("ArnEquals", "arn:aws:events:*:1:rule/up", "arn:aws:events:r:1:rule/up", True),
        ("Bool", "false", "False", True),
    ],
)
def test_conditions(operator: str, expected: Any, value: str, holds: bool) -> None:
    documents = policy(Condition={operator: {"key": expected}})
    assert allowed(documents, Request("s3:GetObject", "r", {"key": value})) is holds


def test_a_condition_on_a_missing_key_fails() -> None:
    assert not allowed(policy(Condition={"StringLike": {"s3:prefix": "*"}}), Request("s3:GetObject"))


@pytest.mark.parametrize("extra", [{"NotAction": "s3:*"}, {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}])
def test_what_it_does_not_know_is_an_error(extra: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError):
        allowed(policy(**extra), Request("s3:GetObject", "r"))


def test_admits_only_the_named_principal() -> None:
    trust = {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Federated": "provider"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {"issuer:sub": "system:serviceaccount:ns:name"}},
        }
    }
    action = "sts:AssumeRoleWithWebIdentity"
    assert admits(trust, ("Federated", "provider"), action, {"issuer:sub": "system:serviceaccount:ns:name"})
    assert not admits(trust, ("Federated", "provider"), action, {"issuer:sub": "system:serviceaccount:ns:other"})
    assert not admits(trust, ("Federated", "other"), action, {"issuer:sub": "system:serviceaccount:ns:name"})
    assert not admits(trust, ("AWS", "provider"), "sts:AssumeRole", {})
