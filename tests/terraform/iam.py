"""Evaluates IAM policy documents the way AWS does, as far as our policies go.

The emulator stores policies and does not judge by their resources and conditions. Logic: an explicit Deny wins,
then an Allow, else the request is denied ("Policy evaluation logic", AWS IAM User Guide). What this does not know
(NotAction, an unknown condition operator) raises, so that a policy cannot grow past its tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Statement = Mapping[str, Any]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _matches(pattern: str, value: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, value, re.DOTALL) is not None


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, value: expected == value,
    "StringLike": _matches,
    "ArnEquals": _matches,
    "ArnLike": _matches,
    # Whether the key is missing from the request; a key that is there is handled before.
    "Null": lambda expected, value: expected.lower() == "false",
    "Bool": lambda expected, value: expected.lower() == value.lower(),
}


@dataclass(frozen=True)
class Request:
    """One call to AWS: an action ("s3:GetObject") on a resource (ARN, or "*" where the action has none)."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)


def statements(documents: Iterable[Mapping[str, Any]]) -> list[Statement]:
    """All statements of policy documents."""
    return [statement for document in documents for statement in _listed(document["Statement"])]


def _applies(statement: Statement, request: Request) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}
    if unknown:
        raise NotImplementedError(f"statement with {sorted(unknown)}")
    if not any(_matches(action.lower(), request.action.lower()) for action in _listed(statement["Action"])):
        return False
    if not any(_matches(resource, request.resource) for resource in _listed(statement.get("Resource", "*"))):
        return False
    for operator, tests in statement.get("Condition", {}).items():
        if operator not in _OPERATORS:
            raise NotImplementedError(f"condition operator {operator}")
        for key, expected in tests.items():
            value = request.context.get(key)
            if operator == "Null" and value is None:
                if "true" not in [str(one).lower() for one in _listed(expected)]:
                    return False
                continue
            if value is None or not any(_OPERATORS[operator](str(one), value) for one in _listed(expected)):
                return False
    return True


def allowed(documents: Iterable[Mapping[str, Any]], request: Request) -> bool:
    """Whether policies attached to the caller allow the request."""
    applying = [statement["Effect"] for statement in statements(documents) if _applies(statement, request)]
    return "Deny" not in applying and "Allow" in applying


def admits(trust: Mapping[str, Any], principal: tuple[str, str], action: str, context: Mapping[str, str]) -> bool:
    """Whether a trust or resource policy admits a principal, such as ("Service", "events.amazonaws.com")."""
    kind, name = principal

    def names(statement: Statement) -> list[str]:
        whom = statement["Principal"]
        return ["*"] if whom == "*" else _listed(whom.get(kind, []))

    matching = [s for s in statements([trust]) if name in names(s) or "*" in names(s)]
    if not matching:
        return False
    resource = str(_listed(matching[0].get("Resource", "*"))[0])
    return allowed([{"Statement": matching}], Request(action, resource, context))
