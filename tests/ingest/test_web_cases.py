"""The daemon decides the cases that it shares with the web kit as the kit's own tests expect it."""

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.acceptance import NOW, sent
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Tag, Time, TrackEvent, UpdateContact
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decoded import Attribute, CustomEvent, DecodedValue, SessionEnd

FILE = Path(__file__).parents[2] / "clients" / "cases" / "web.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))


def decoded(value: Any) -> DecodedValue:  # noqa: ANN401 - a value of JSON
    if not isinstance(value, dict):
        return value
    [(kind, given)] = value.items()
    match kind:
        case "number":
            return float(given)
        case "time":
            return Time(math.floor(datetime.fromisoformat(given).timestamp()))
        case "list":
            return tuple(given)
        case _:
            return Tag()


def attributes(pairs: list[list[Any]]) -> list[Attribute]:
    return [(name, decoded(value)) for name, value in pairs]


def event_of(case: dict[str, Any]) -> CustomEvent | SessionEnd | None:
    if event := case.get("event"):
        return CustomEvent(event["name"], attributes(event.get("attributes", [])))
    session = case.get("sessionEnd")
    if session is None:
        return None
    seconds = session.get("durationSeconds")
    duration = None if seconds is None else round(seconds * 1e9)
    return SessionEnd(session.get("sessionId", ""), duration, attributes(session.get("attributes", [])))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_web_case_is_decided_as_by_the_web_kit(case: dict[str, Any]) -> None:
    envelope = sent(
        customer_id=case["identity"].get("customerId", ""),
        email=case["identity"].get("email", ""),
        user_attributes=attributes(case.get("attributes", [])),
        removed_user_attributes=case.get("removed", []),
        event=event_of(case),
    )
    decision = decide(envelope, {"default": ConnectionSettings(name="default")}, NOW)
    assert [f"{finding.reason} {finding.field}" for finding in decision.violations] == case["violations"]
    if case["violations"]:
        return
    accepted = decision.accepted
    assert accepted
    assert [f"{finding.reason} {finding.field}" for finding in accepted.adjustments] == case.get("adjustments", [])
    if "user" in case:
        assert {"customerId": accepted.customer_id, "email": accepted.email} == case["user"]
    for operation in accepted.operations:
        if isinstance(operation, UpdateContact) and "update" in case:
            assert json.dumps(operation.attributes) == json.dumps(case["update"])
        elif isinstance(operation, TrackEvent) and "sent" in case:
            assert operation.name == case["sent"]["name"]
            metadata = json.loads(operation.metadata) if operation.metadata else {}
            assert json.dumps(metadata) == json.dumps(case["sent"].get("metadata", {}))
