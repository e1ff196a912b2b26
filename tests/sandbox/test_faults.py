"""Which calls go wrong, how often, and what becomes of their answers."""

import random

import msgspec
import pytest

from intercomd_daemon.sandbox.faults import Action, Fault, Faults, corrupt_answer, fault_answer
from intercomd_daemon.sandbox.http_messages import HttpResponse


def never() -> float:
    raise AssertionError


def test_fault_hits_the_next_calls_and_ends() -> None:
    faults = Faults(never)
    count = faults.add(Fault("POST", "/events", 503, times=2))
    assert [faults.pick("POST", "/events") is not None for _ in range(4)] == [True, True, False, False]
    assert (count.matched, count.hit) == (2, 2)


@pytest.mark.parametrize(
    ("fault", "hit"),
    [
        (Fault("POST", "/events", 503), True),
        (Fault("*", "/", 503), True),
        (Fault("*", "/ev", 503), True),
        (Fault("GET", "/events", 503), False),
        (Fault("*", "/contacts", 503), False),
    ],
)
def test_fault_applies_to_its_method_and_paths(fault: Fault, hit: bool) -> None:
    faults = Faults(never)
    faults.add(fault)
    assert (faults.pick("POST", "/events") is not None) is hit


def test_fault_can_skip_the_first_matching_calls() -> None:
    faults = Faults(never)
    faults.add(Fault(status=500, after=2, times=1))
    assert [faults.pick("GET", "/me") is not None for _ in range(5)] == [False, False, True, False, False]


def test_fault_probability_follows_from_the_seed() -> None:
    def hits(seed: int) -> list[bool]:
        faults = Faults(random.Random(seed).random)  # noqa: S311 -- chance, and nothing to guess
        faults.add(Fault(status=429, probability=0.3))
        return [faults.pick("GET", "/me") is not None for _ in range(200)]

    assert hits(1) == hits(1) != hits(2)
    assert 30 < sum(hits(1)) < 90


def test_delays_join_the_first_fault_that_does_more() -> None:
    faults = Faults(never)
    faults.add(Fault(delay_seconds=0.25))
    faults.add(Fault(status=503, times=1))
    faults.add(Fault(action=Action.HANG))
    first, second = faults.pick("GET", "/me"), faults.pick("GET", "/me")
    assert first is not None
    assert second is not None
    assert (first.status, first.delay_seconds) == (503, 0.25)
    assert (second.action, second.delay_seconds) == (Action.HANG, 0.25)


def test_delay_alone_leaves_the_rest_as_it_is() -> None:
    faults = Faults(never)
    faults.add(Fault(delay_seconds=0.25, times=5, after=0))
    faults.add(Fault("POST", delay_seconds=0.5))
    picked = faults.pick("POST", "/events")
    assert picked == Fault(delay_seconds=0.75)
    assert picked.takes


def test_cleared_faults_are_gone() -> None:
    faults = Faults(never)
    faults.add(Fault(status=503))
    faults.clear()
    assert faults.pick("GET", "/me") is None


@pytest.mark.parametrize(
    ("fault", "takes"),
    [
        (Fault(status=503), False),
        (Fault(status=503, action=Action.EMPTY), False),
        (Fault(action=Action.CUT_BEFORE), False),
        (Fault(action=Action.HANG), False),
        (Fault(action=Action.CUT_AFTER), True),
        (Fault(action=Action.HANG_AFTER), True),
        (Fault(action=Action.CUT_MIDDLE), True),
        (Fault(action=Action.NOT_JSON), True),
        (Fault(action=Action.SLOW), True),
        (Fault(delay_seconds=1.0), True),
        (Fault(body="{}"), True),
    ],
)
def test_fault_hits_before_or_after_the_effect(fault: Fault, takes: bool) -> None:
    assert fault.takes is takes


@pytest.mark.parametrize(
    ("fault", "status", "code", "message"),
    [
        (Fault(status=429), 429, "rate_limit_exceeded", "Exceeded rate limit of 167 in 10_seconds"),
        (Fault(status=401), 401, "unauthorized", "Access Token Invalid"),
        (Fault(status=404), 404, "not_found", "User Not Found"),
        (Fault(status=500), 500, "server_error", "A fault of the sandbox fails the call"),
        (Fault(status=429, code="too_many_requests", message="busy"), 429, "too_many_requests", "busy"),
        (Fault(status=418), 418, "server_error", "A fault of the sandbox fails the call"),
    ],
)
def test_fault_status_has_intercoms_error_body(fault: Fault, status: int, code: str, message: str) -> None:
    answer = fault_answer(fault, "request-1", "Exceeded rate limit of 167 in 10_seconds")
    assert answer.status == status
    assert msgspec.json.decode(answer.body) == {
        "type": "error.list",
        "request_id": "request-1",
        "errors": [{"code": code, "message": message}],
    }


def test_unanswered_call_has_no_status() -> None:
    assert fault_answer(Fault(action=Action.HANG), "request-1", "") == HttpResponse(0)


@pytest.mark.parametrize(
    ("fault", "body", "headers"),
    [
        (Fault(action=Action.EMPTY), b"", ()),
        (Fault(action=Action.NOT_JSON), b"<html><body><h1>Bad Gateway</h1></body></html>", ()),
        (Fault(action=Action.HUGE, huge_bytes=3), b'{"type":"xxx"}', ()),
        (Fault(action=Action.WRONG_TYPE), b"{}", (("Content-Type", "text/html"),)),
        (Fault(body="[1]", headers=(("Retry-After", "7"),)), b"[1]", (("Retry-After", "7"),)),
    ],
)
def test_response_is_corrupted_as_chosen(fault: Fault, body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
    assert corrupt_answer(fault, HttpResponse(200, b"{}", (("x", "y"),))) == HttpResponse(
        200, body, (("x", "y"), *headers)
    )


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (Fault(status=503), "503"),
        (Fault(action=Action.CUT_AFTER), "cut-after"),
        (Fault(status=502, action=Action.NOT_JSON, delay_seconds=0.25), "502 not-json delay=0.25s"),
        (Fault(body="x"), "changed"),
    ],
)
def test_fault_has_a_name_in_the_record(fault: Fault, name: str) -> None:
    assert str(fault) == name
