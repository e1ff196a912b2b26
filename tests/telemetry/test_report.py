"""What happened becomes one line and one count, and wakes who waits for it."""

import io
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import pytest
from prometheus_client import generate_latest

from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.deliver.schedule.connection_monitor import Observer
from intercomd_daemon.envelope import Finding, Refusal
from intercomd_daemon.ingest.decision import AcceptTimes, Decision, Disposition
from intercomd_daemon.outcome import Effect, EffectKind, Outcome, OutcomeType
from intercomd_daemon.spool.rows import Usage
from intercomd_daemon.telemetry.logs import Logs, set_up
from intercomd_daemon.telemetry.metrics import Metrics
from intercomd_daemon.telemetry.redaction import GUARDED_FIELDS, lane_name
from intercomd_daemon.telemetry.report import DETAIL_CHARACTERS_MAX, OutcomeLine, Report
from intercomd_daemon.telemetry.settings import LogSettings

Write = Callable[..., Any]


class Written(Protocol):
    """A log and what it wrote."""

    @property
    def logs(self) -> Logs: ...

    @property
    def lines(self) -> list[dict[str, Any]]: ...


KEY = b"a key"
CONTACT = Effect(EffectKind.CONTACT, "", 0, OutcomeType.DELIVERED, "", 200, "req-1", 2)
EVENT = Effect(EffectKind.EVENT, "Signed up", 1_700_000_000, OutcomeType.DELIVERED, "", 202, "req-2", 1)
TIMES = AcceptTimes(1_750_000_000.0, 1_750_000_000.1, 1_750_000_000.2)
DELIVERED = Outcome(
    envelope_id="id-1",
    connection="default",
    customer_id="user-1",
    email="alice@example.com",
    type=OutcomeType.DELIVERED,
    reason="",
    accept_time=1_000.0,
    end_time=1_002.5,
    effects=(CONTACT, EVENT),
    adjustments=(),
    replay=1,
    sequence=7,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
REFUSED = msgspec.structs.replace(
    DELIVERED,
    type=OutcomeType.DEAD_LETTERED,
    reason="REQUEST_INVALID",
    effects=(
        msgspec.structs.replace(CONTACT, type=OutcomeType.DEAD_LETTERED, http_status=400, reason="REQUEST_INVALID"),
        EVENT,
    ),
    traceparent="nonsense",
)


def a_report(written: Written) -> tuple[Report, Metrics]:
    metrics = Metrics("1.2.3", ["default"], usage=lambda: Usage({}, 0, 0, ""), statuses=list, clock=lambda: 0.0)
    return Report(written.logs.logger, metrics, KEY), metrics


def scraped(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def refusal(envelope_id: str, disposition: Disposition, *violations: Finding, **fields: str) -> Refusal:
    given = {"connection": "default", "customer_id": "", "email": "", "event_name": ""} | fields
    return Refusal(time=1.0, envelope_id=envelope_id, disposition=int(disposition), violations=violations, **given)


def logged(written: Written) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "timestamp"} for line in written.lines]


def test_line_of_an_outcome_has_no_field_that_must_be_guarded() -> None:
    assert GUARDED_FIELDS.isdisjoint(OutcomeLine.__struct_fields__)


def test_report_implements_the_interface_of_deliveries(write: Write) -> None:
    observer: Observer = a_report(write())[0]
    observer.on_outcomes([])


def test_outcome_is_one_line_and_one_count(write: Write) -> None:
    written = write()
    report, metrics = a_report(written)
    report.on_outcomes([DELIVERED])
    assert logged(written) == [
        {
            "level": "info",
            "event": "outcome",
            "envelope_id": "id-1",
            "connection": "default",
            "lane": "c:user-1",
            "event_name": "Signed up",
            "outcome": "delivered",
            "reason": "",
            "intercom_request_id": "req-2",
            "http_status": 202,
            "attempts": 3,
            "effects": 2,
            "replay": 1,
            "age_seconds": 2.5,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
        }
    ]
    assert 'intercomd_outcomes_total{connection="default",reason="",type="delivered"} 1.0' in scraped(metrics)


def test_outcomes_of_a_commit_are_reported_together(write: Write) -> None:
    """The log is woken once for all of them."""
    metrics = a_report(write())[1]
    stream = Writes()
    Report(set_up(LogSettings(), stream).logger, metrics, KEY).on_outcomes([DELIVERED, REFUSED, DELIVERED])
    assert stream.lines == [3]


class Writes(io.StringIO):
    """A stream that counts the lines of each write."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []

    def write(self, text: str) -> int:
        self.lines.append(text.count("\n"))
        return len(text)


def test_dead_letter_is_a_warning_with_the_refusing_response(write: Write) -> None:
    written = write(level="warning")
    report, _ = a_report(written)
    report.on_outcomes([DELIVERED, REFUSED])
    (line,) = logged(written)
    assert (line["level"], line["outcome"], line["reason"]) == ("warning", "dead_lettered", "REQUEST_INVALID")
    assert (line["http_status"], line["intercom_request_id"]) == (400, "req-1")
    assert "trace_id" not in line


def test_outcome_that_needed_no_call_has_no_status(write: Write) -> None:
    written = write()
    report, _ = a_report(written)
    unchanged = msgspec.structs.replace(CONTACT, type=OutcomeType.UNCHANGED, http_status=0, attempts=0)
    report.on_outcomes([msgspec.structs.replace(DELIVERED, type=OutcomeType.UNCHANGED, effects=(unchanged,))])
    (line,) = logged(written)
    assert (line["outcome"], line["http_status"], line["attempts"]) == ("unchanged", 0, 0)


def test_lane_by_email_is_logged_by_its_hash(write: Write) -> None:
    written = write()
    report, _ = a_report(written)
    report.on_outcomes([msgspec.structs.replace(DELIVERED, customer_id="")])
    assert logged(written)[0]["lane"] == lane_name("e:alice@example.com", KEY)
    assert "alice" not in written.text


@pytest.mark.parametrize("planted", ["alice@example.com", "dG9rOmFiY2RlZjEyMzQ1Njc4OTA="])
def test_personal_data_is_in_no_line_whichever_field_held_it(write: Write, planted: str) -> None:
    written = write(level="debug")
    report, metrics = a_report(written)
    effect = Effect(EffectKind.EVENT, planted, 1, OutcomeType.DEAD_LETTERED, planted, 400, planted, 1)
    outcome = Outcome(
        envelope_id=planted,
        connection=planted,
        customer_id=planted,
        email=planted,
        type=OutcomeType.DEAD_LETTERED,
        reason=planted,
        accept_time=0.0,
        end_time=1.0,
        effects=(effect,),
        adjustments=(Finding(planted, planted, planted),),
        replay=0,
        traceparent=planted,
    )
    report.on_outcomes([outcome])
    rejected = refusal(planted, Disposition.REJECTED, Finding(planted, planted, planted), connection=planted)
    report.on_decisions([], [rejected], TIMES)
    report.on_call(planted, planted, 200, 0.1)
    report.on_state(planted, ConnectionState.DOWN, planted)
    report.on_notice(planted, "attribute_refused", attribute=planted, rows=[planted], traceparent=planted)
    assert len(written.lines) == 5
    assert planted not in written.text + scraped(metrics)


def test_call_is_counted_and_has_a_debug_line(write: Write) -> None:
    quiet, talking = write(), write(level="debug")
    for written in (quiet, talking):
        report, metrics = a_report(written)
        report.on_call("default", Call.TRACK_EVENT, 202, 0.25)
        assert 'calls_total{call="POST /events",connection="default",status="2xx"} 1.0' in scraped(metrics)
    assert quiet.text == ""
    assert logged(talking) == [
        {
            "level": "debug",
            "event": "call",
            "connection": "default",
            "call": "POST /events",
            "http_status": 202,
            "seconds": 0.25,
        }
    ]


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"level": "debug"}, "<hidden>"),
        ({"level": "debug", "values": True}, '{"email":"ada@example.com","plan":"pro"}'),
        ({"level": "info", "values": True}, None),
    ],
)
def test_body_of_a_call_is_shown_with_values_alone(write: Write, settings: dict[str, Any], shown: str | None) -> None:
    written = write(**settings)
    report, _ = a_report(written)
    report.on_call("default", Call.CREATE_CONTACT, 200, 0.25, (), b'{"email":"ada@example.com","plan":"pro"}')
    assert [line["body"] for line in logged(written)] == ([] if shown is None else [shown])
    assert ("ada@example.com" in written.text) is (shown is not None and "ada" in shown)


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (ConnectionState.VERIFYING, "warning"),
        (ConnectionState.DELIVERING, "info"),
        (ConnectionState.DOWN, "warning"),
        (ConnectionState.SUSPENDED, "error"),
        (ConnectionState.PAUSED, "info"),
        (ConnectionState.INACTIVE, "info"),
    ],
)
def test_change_is_one_line_and_a_gauge(write: Write, state: ConnectionState, level: str) -> None:
    written = write()
    report, metrics = a_report(written)
    report.on_state("default", state, "why, and the remedy")
    name = state.name.lower()
    assert logged(written) == [
        {
            "level": level,
            "event": "connection",
            "connection": "default",
            "state": name,
            "reason": "why, and the remedy",
        }
    ]
    assert f'intercomd_connection_state{{connection="default",state="{name}"}} 1.0' in scraped(metrics)


def test_notice_is_one_line_and_one_count(write: Write) -> None:
    written = write()
    report, metrics = a_report(written)
    report.on_notice("default", "rows_damaged", rows=["row 1: bad", "row 2: bad"], traceparent=DELIVERED.traceparent)
    report.on_notice("default", "attribute_created", attribute="plan", data_type="string")
    assert logged(written) == [
        {
            "level": "warning",
            "event": "rows_damaged",
            "connection": "default",
            "rows": "row 1: bad; row 2: bad",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
        },
        {
            "level": "info",
            "event": "attribute_created",
            "connection": "default",
            "attribute": "plan",
            "data_type": "string",
        },
    ]
    assert 'intercomd_notices_total{connection="default",notice="rows_damaged"} 1.0' in scraped(metrics)


def test_notice_names_a_user_without_the_email(write: Write) -> None:
    written = write()
    report, _ = a_report(written)
    for lane in ("c:42", "e:ada@example.com", "c:ada@example.com"):
        report.on_notice("default", "user_retrying", lane=lane, envelope_id="e-1", failures=5, status=503)
    lanes = [line["lane"] for line in logged(written)]
    assert lanes[0] == "c:42"
    assert [lane[:2] for lane in lanes[1:]] == ["e:", "c:"]
    assert "ada" not in written.text


def test_commit_is_measured_without_a_line(write: Write) -> None:
    written = write(level="debug")
    report, metrics = a_report(written)
    report.on_commit(200, 0.004)
    assert "intercomd_spool_committed_rows_total 200.0" in scraped(metrics)
    assert written.text == ""


def test_damage_to_the_spool_is_an_error_with_a_count(write: Write) -> None:
    written = write()
    report, metrics = a_report(written)
    report.on_damage("record 7 of journal is damaged")
    assert [(line["level"], line["event"], line["detail"]) for line in written.lines] == [
        ("error", "spool_damaged", "record 7 of journal is damaged")
    ]
    assert "intercomd_spool_damages_total 1.0" in scraped(metrics)


def test_spool_refusal_and_recovery_are_logged(write: Write) -> None:
    written = write()
    report, _ = a_report(written)
    report.on_refusing("the disk refuses: database or disk is full")
    report.on_refusing("")
    assert [(line["level"], line["event"], line.get("reason")) for line in written.lines] == [
        ("warning", "spool_refusing", "the disk refuses: database or disk is full"),
        ("info", "spool_accepting", None),
    ]


@pytest.mark.fills("telemetry.report.SENT_CHARACTERS_MAX")
def test_rejected_and_skipped_envelopes_have_a_line_and_all_have_a_count(write: Write) -> None:
    written = write()
    report, metrics = a_report(written)
    off = Finding("EVENT_TYPE_OFF", "commerce_event", "...")
    findings = (Finding("INVALID_EMAIL", "identity.email", "..."), Finding("INVALID_TIME", "event_time", "..."))
    unknown = Finding("UNKNOWN_CONNECTION", "f" * 4096, "...")
    report.on_decisions(
        [
            Decision("a", "default", Disposition.ACCEPTED),
            Decision("b", "default", Disposition.DUPLICATE),
            Decision("c", "default", Disposition.SKIPPED, (off,)),
            Decision("d", "default", Disposition.REJECTED, findings),
        ],
        [
            refusal("c", Disposition.SKIPPED, off, customer_id="user-1", event_name="paid", caller="billing"),
            refusal("d", Disposition.REJECTED, *findings, email="ada@example.com"),
            refusal("e" * 4096, Disposition.REJECTED, unknown, connection="x" * 4096),
        ],
        TIMES,
    )
    skipped, rejected, cut = logged(written)
    assert skipped == {
        "level": "info",
        "event": "skipped",
        "envelope_id": "c",
        "connection": "default",
        "lane": "c:user-1",
        "event_name": "paid",
        "reason": "EVENT_TYPE_OFF",
        "field": "commerce_event",
        "violations": 1,
        "caller": "billing",
    }
    assert rejected == {
        "level": "warning",
        "event": "rejected",
        "envelope_id": "d",
        "connection": "default",
        "lane": lane_name("e:ada@example.com", KEY),
        "event_name": "",
        "reason": "INVALID_EMAIL",
        "field": "identity.email",
        "violations": 2,
    }
    assert len(cut["envelope_id"]) == len(cut["connection"]) == len(cut["field"]) == 256
    for disposition in ("accepted", "duplicate", "skipped", "rejected"):
        assert f'connection="default",disposition="{disposition}"' in scraped(metrics)


def test_watchers_are_woken_until_they_leave(write: Write) -> None:
    report, _ = a_report(write())
    woken: list[str] = []
    leave = report.subscribe(lambda: woken.append("a"))
    report.subscribe(lambda: woken.append("b"))
    report.on_outcomes([DELIVERED])
    leave()
    leave()
    report.on_outcomes([DELIVERED])
    assert woken == ["a", "b", "b"]


def test_watcher_may_leave_while_it_is_woken(write: Write) -> None:
    report, _ = a_report(write())
    woken: list[str] = []

    def once() -> None:
        woken.append("once")
        leave()

    leave = report.subscribe(once)
    report.subscribe(lambda: woken.append("always"))
    report.on_outcomes([DELIVERED])
    report.on_outcomes([DELIVERED])
    assert woken == ["once", "always", "always"]


def test_same_callback_may_watch_twice(write: Write) -> None:
    report, _ = a_report(write())
    woken: list[int] = []

    def wake() -> None:
        woken.append(1)

    leave = report.subscribe(wake)
    report.subscribe(wake)
    leave()
    report.on_outcomes([DELIVERED])
    assert woken == [1]


@pytest.mark.fills("telemetry.report.DETAIL_CHARACTERS_MAX")
def test_long_list_of_texts_is_cut(write: Write) -> None:
    written = write()
    a_report(written)[0].on_notice("default", "rows_damaged", rows=[f"row {number}" for number in range(5_000)])
    (line,) = written.lines
    assert line["rows"].startswith("row 0; row 1; ")
    assert len(line["rows"]) == DETAIL_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("UNAUTHORIZED: Intercom does not know the access token", "access_token_file"),
        ("APP_ID_MISMATCH", "app_id"),
        ("UPSTREAM_FORBIDDEN", "connections of the agent's caller"),
        ("UPSTREAM_UNAUTHENTICATED", "upstream.token_file"),
    ],
)
def test_suspension_is_logged_with_its_remedy(write: Write, reason: str, fix: str) -> None:
    written = write()
    report, _ = a_report(written)
    report.on_state("default", ConnectionState.SUSPENDED, reason)
    (line,) = logged(written)
    assert line["reason"] == reason
    assert fix in str(line["remedy"])
