"""Tests explaining single entries of the trail."""

import pytest

from intercomd.v1 import envelope_pb2, outcome_pb2
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import DISPOSITION_SKIPPED, Violation
from intercomd.v1.operations_pb2 import TrailEntry
from intercomd_daemon.cli.answer import WAITING_CLAUSES
from intercomd_daemon.cli.explanation import explain_entry, print_explanation
from intercomd_daemon.cli.layout import display_width
from intercomd_daemon.reasons import REASONS, ReasonKind
from operators.entries import CONTACT, EVENT, REFUSED, REJECTION, at, ended, refused, waiting

DELIVERED = outcome_pb2.OUTCOME_TYPE_DELIVERED
DEAD = outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
WAITING_REASONS = [reason.code for reason in REASONS if reason.kind is ReasonKind.WAITING]


def printed(capsys: pytest.CaptureFixture[str], entry: TrailEntry, *, superseded: bool = False) -> list[str]:
    print_explanation(explain_entry(entry, superseded=superseded))
    return capsys.readouterr().out.splitlines()


def test_delivered_envelope_shows_its_calls_and_changes(capsys: pytest.CaptureFixture[str]) -> None:
    change = envelope_pb2.Adjustment(reason="VALUE_TRUNCATED", field="user_attributes[0]", message="cut at 255")
    entry = ended("e-1", 0, DELIVERED, CONTACT, EVENT, adjustments=[change], caller="billing")
    assert printed(capsys, entry) == [
        "2023-11-14T22:14:20Z  delivered",
        "    envelope e-1 of ann in default, accepted 2023-11-14T22:13:20Z, published by billing",
        "    contact: delivered, status 200, 2 calls",
        "    event paid of 2023-11-14T22:13:20Z: delivered, status 202, 1 call",
        "    changed: VALUE_TRUNCATED user_attributes[0]: cut at 255",
    ]


def test_dead_letter_shows_the_refused_call_and_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    entry = ended("e-1", 0, DEAD, CONTACT, REFUSED, dead_letter_id="42", replay=1)
    assert printed(capsys, entry) == [
        "2023-11-14T22:14:20Z  dead-lettered: TOO_LARGE status 413",
        "    envelope e-1 of ann in default, accepted 2023-11-14T22:13:20Z, replay 1",
        "    contact: delivered, status 200, 2 calls",
        "    event paid of 2023-11-14T22:13:20Z: dead-lettered, TOO_LARGE, status 413, 1 call, request req-9",
        (
            "    What to do: Send less in one envelope. Intercom's response: `intercomd dead-letters show 42`. Replay:"
            " `intercomd dead-letters replay 42`."
        ),
    ]


def test_event_without_details_is_shown_without_name_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk had no room for them."""
    short = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_EVENT, type=DEAD, reason="TOO_LARGE", http_status=413)
    assert printed(capsys, ended("e-1", 0, DEAD, short))[2] == "    event: dead-lettered, TOO_LARGE, status 413"


def test_dead_letter_of_an_unknown_reason_has_the_commands_alone() -> None:
    remedy = explain_entry(ended("e-1", 0, DEAD, reason="STRANGE", dead_letter_id="7")).remedy
    assert remedy.startswith("Intercom's response: `intercomd dead-letters show 7`")


@pytest.mark.parametrize("reason", ["EXPIRED", "GIVEN_UP"])
@pytest.mark.parametrize("earlier", [(), (CONTACT,)])
def test_dead_letter_without_a_response_leads_to_none(reason: str, earlier: tuple[outcome_pb2.Effect, ...]) -> None:
    ended_first = outcome_pb2.Effect(kind=outcome_pb2.EFFECT_KIND_EVENT, type=DEAD, reason=reason)
    remedy = explain_entry(ended("e-1", 0, DEAD, *earlier, ended_first, reason=reason, dead_letter_id="7")).remedy
    assert "Intercom's response" not in remedy
    assert remedy.endswith(" Replay: `intercomd dead-letters replay 7`.")


def test_left_out_envelope_has_its_remedy() -> None:
    entry = ended("e-1", 0, outcome_pb2.OUTCOME_TYPE_SKIPPED, reason="DRY_RUN")
    assert explain_entry(entry).remedy == "Set dry_run = false to make the calls."


def test_forwarded_envelope_names_the_command_at_the_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    entry = ended("e-1", 0, outcome_pb2.OUTCOME_TYPE_FORWARDED, forwarded_to="s-1", violations=[REJECTION])
    lines = printed(capsys, entry)
    assert lines[2:] == [
        "    forwarded to the spool s-1: `intercomd explain e-1` at the gateway shows its outcome",
        "    PLACEHOLDER_ID identity.customer_id: 'null' is a placeholder: set the user's id",
    ]


def test_waiting_envelope_shows_place_tries_status_and_next_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    entry = waiting(
        "e 1",
        0,
        "RETRYING",
        attempts=3,
        http_status=503,
        next_attempt_time=at(90),
        ahead=1_200,
        last_error="POST /events: 503\x1b",
        replay=2,
    )
    assert printed(capsys, entry) == [
        "2023-11-14T22:13:20Z  waiting: RETRYING",
        "    envelope e 1 of ann in default, accepted 2023-11-14T22:13:20Z, replay 2",
        "    event later",
        "    3 calls made for it; last status 503",
        "    next attempt: 2023-11-14T22:14:50Z",
        "    at most 1,200 envelopes before it",
        "    last error: POST /events: 503\\x1b",
        (
            "    What to do: Wait for the next attempt. If it cannot succeed, end it as a dead letter: `intercomd"
            " give-up 'e 1'`."
        ),
    ]


@pytest.mark.parametrize(
    ("attempts", "status", "text"),
    [
        (0, 0, "no call made for it yet"),
        (1, 0, "1 call made for it"),
        (0, 503, "no call made for it yet; last status 503"),
    ],
)
def test_waiting_envelope_shows_what_is_known_of_its_calls(attempts: int, status: int, text: str) -> None:
    assert text in explain_entry(waiting("e-1", 0, attempts=attempts, http_status=status)).details


def test_waiting_envelope_behind_a_failing_one_leads_to_that() -> None:
    remedy = explain_entry(waiting("e-2", 0, "RETRYING", ahead=1)).remedy
    assert remedy == "See which envelope of its user fails, and why: `intercomd explain ann`."


@pytest.mark.parametrize("reason", WAITING_REASONS)
def test_every_reason_to_wait_has_a_clause_and_a_remedy_for_the_command_line(reason: str) -> None:
    assert reason in WAITING_CLAUSES
    remedy = explain_entry(waiting("e-1", 0, reason)).remedy
    assert remedy
    assert "Connection`" not in remedy


@pytest.mark.parametrize(
    ("entry", "state", "remedy"),
    [
        (
            refused("e-1", 0),
            "rejected: PLACEHOLDER_ID",
            "or only an email. The daemon keeps no copy: send it again after that.",
        ),
        (
            refused("e-1", 0, Violation(reason="DEVELOPMENT_DATA", message="off"), disposition=DISPOSITION_SKIPPED),
            "skipped: DEVELOPMENT_DATA",
            "Set development_connection.",
        ),
    ],
)
def test_refused_envelope_shows_violations_and_remedy(
    capsys: pytest.CaptureFixture[str], entry: TrailEntry, state: str, remedy: str
) -> None:
    lines = printed(capsys, entry)
    assert lines[0] == f"2023-11-14T22:13:20Z  {state}"
    assert lines[1] == "    envelope e-1 of ann in default"
    assert len(lines) == 4
    assert lines[3].startswith("    What to do: ")
    assert lines[3].endswith(remedy)


def test_refused_envelope_without_user_shows_event_and_caller(capsys: pytest.CaptureFixture[str]) -> None:
    entry = refused("e-1", 0, identity=Identity(), event_name="seen", caller="shop")
    assert printed(capsys, entry)[1] == "    envelope e-1 of no user in default, event seen, published by shop"


def test_superseded_entry_needs_no_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, ended("e-1", 0, DEAD, REFUSED, dead_letter_id="42"), superseded=True)
    assert lines[-1] == "    A later entry supersedes this one."


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize(
    ("envelope_id", "customer_id"),
    [
        ("0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d", "42"),
        ("é" * 64, "u" * 255),
        ("注文" * 10, "客户" * 20),
        ("a\u202eb", "\x1b[2J"),
    ],
)
def test_explanation_fits_the_terminal_and_keeps_ids_whole(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    envelope_id: str,
    customer_id: str,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    user = Identity(customer_id=customer_id)
    for entry in (
        ended(envelope_id, 0, DEAD, CONTACT, REFUSED, dead_letter_id="42", identity=user),
        refused(envelope_id, 0, identity=user),
    ):
        lines = printed(capsys, entry)
        text = "\n".join(lines)
        for shown in (envelope_id, customer_id):
            assert not shown.isprintable() or shown in text
        assert text.replace("\n", "").isprintable()
        assert [line for line in lines if display_width(line) > columns and len(line.split()) > 1] == []


@pytest.mark.parametrize("reason", ["DOWN", "SUSPENDED"])
def test_agent_probes_the_gateway(reason: str) -> None:
    entry = waiting("e-1", 0, reason)
    assert "probes the gateway and continues by itself" in explain_entry(entry, forwards=True).remedy
    assert "probes Intercom and continues by itself" in explain_entry(entry).remedy


@pytest.mark.parametrize(
    ("end", "reason", "remedy"),
    [
        (
            DEAD,
            "PLACEHOLDER_ID",
            (
                "Send the user's real customer id, or only an email. Replay, once the gateway accepts it:"
                " `intercomd dead-letters replay 7`."
            ),
        ),
        (
            DEAD,
            "UPSTREAM_REFUSED",
            (
                "Correct what the violation names, mostly a limit of the gateway's settings. Replay, once the gateway"
                " accepts it: `intercomd dead-letters replay 7`."
            ),
        ),
        (outcome_pb2.OUTCOME_TYPE_SKIPPED, "UNSUPPORTED_EVENT_TYPE", "Send it as a custom event."),
    ],
)
def test_envelope_that_the_gateway_refused_has_the_remedy_of_its_violation(
    end: outcome_pb2.OutcomeType.ValueType, reason: str, remedy: str
) -> None:
    number = "7" if end == DEAD else ""
    entry = ended("e-1", 0, end, reason=reason, violations=[Violation(reason=reason)], dead_letter_id=number)
    assert explain_entry(entry, forwards=True).remedy == remedy
