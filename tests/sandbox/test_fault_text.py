"""Faults as a command line takes them."""

import pytest

from intercomd_daemon.sandbox.fault_text import FaultSyntaxError, parse_fault
from intercomd_daemon.sandbox.faults import Action, Fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("POST /events 503 times=3", Fault("POST", "/events", 503, times=3)),
        ("* 429 probability=0.05", Fault(status=429, probability=0.05)),
        ("POST /contacts cut-after times=2", Fault("POST", "/contacts", action=Action.CUT_AFTER, times=2)),
        ("* delay=250ms", Fault(delay_seconds=0.25)),
        ("put /contacts/ hang after=1", Fault("PUT", "/contacts/", action=Action.HANG, after=1)),
        ("* /events 502 not-json delay=1.5s", Fault("*", "/events", 502, Action.NOT_JSON, delay_seconds=1.5)),
        ("GET huge size=2MiB", Fault("GET", action=Action.HUGE, huge_bytes=2 << 20)),
        ("GET slow over=1m", Fault("GET", action=Action.SLOW, slow_seconds=60.0)),
        ("* 403 code=token_revoked message='No more'", Fault(status=403, code="token_revoked", message="No more")),
        (
            "* 429 header=Retry-After:7 header='X-A: b c'",
            Fault(status=429, headers=(("Retry-After", "7"), ("X-A", "b c"))),
        ),
        ("""POST 422 body='{"a": 1}'""", Fault("POST", status=422, body='{"a": 1}')),
        ("* cut-before", Fault(action=Action.CUT_BEFORE)),
        ("* cut-middle", Fault(action=Action.CUT_MIDDLE)),
        ("* hang-after", Fault(action=Action.HANG_AFTER)),
        ("* empty", Fault(action=Action.EMPTY)),
        ("* wrong-type", Fault(action=Action.WRONG_TYPE)),
    ],
)
def test_fault_text_is_read(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must begin with a method"),
        ("503", "must begin with a method"),
        ("/events 503", "must begin with a method"),
        ("POST /events", "not what happens"),
        ("POST /events 99", "not within 200 to 599"),
        ("POST /events 600", "not within 200 to 599"),
        ("POST /events explode", "'explode' is neither a status, nor an option, nor one of cut-before, cut-after"),
        ("* 503 time=3", "unknown option 'time'; there are times, after, probability"),
        ("* 503 times=many", "'many' is not a count"),
        ("* 503 probability=2", "probability '2' is not within 0 to 1"),
        ("* 503 probability=often", "probability 'often' is not within 0 to 1"),
        ("* delay=250", "'250' is not a duration such as 250ms"),
        ("* huge size=2MB", "'2MB' is not a size such as 512B"),
        ("* 429 header=Retry-After", "is not a header such as Retry-After:7"),
        ("* 503 hang", "hang sends no answer, so it can't have the status 503"),
        ("* cut-after 503", "cut-after sends no answer"),
        ("* empty code=a", "code and message need a status"),
        ("* 503 message='open", "No closing quotation"),
    ],
)
def test_unreadable_fault_text_is_explained(text: str, complaint: str) -> None:
    with pytest.raises(FaultSyntaxError) as caught:
        parse_fault(text)
    assert str(caught.value).startswith(f"fault '{text}': ")
    assert complaint in str(caught.value)
