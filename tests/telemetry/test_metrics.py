"""What a scrape shows of what was counted, as text; labels stay bounded, whatever is sent or answered."""

import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.outcome import Effect, EffectKind, Outcome, OutcomeType
from intercomd_daemon.reasons import REASONS, ReasonKind
from intercomd_daemon.spool.rows import LogUsage, Usage
from intercomd_daemon.telemetry.metrics import EVENT_NAMES_MAX, Metrics

CONNECTION = "default"
CONTACT = EffectKind.CONTACT


@pytest.fixture
def metrics() -> Metrics:
    usage = Usage({CONNECTION: LogUsage(normal=3, oldest_accept_time=40.0)}, 10, 100, "")
    return Metrics("1.2.3", [CONNECTION], usage=lambda: usage, statuses=list, clock=lambda: 100.0)


def outcome(type_: OutcomeType = OutcomeType.DELIVERED, reason: str = "", connection: str = CONNECTION) -> Outcome:
    return Outcome(
        envelope_id="id-1",
        connection=connection,
        customer_id="user-1",
        email="",
        type=type_,
        reason=reason,
        accept_time=1.0,
        end_time=2.0,
        effects=(),
        adjustments=(),
        replay=0,
    )


def scrape(metrics: Metrics) -> dict[str, str]:
    lines = (line.rsplit(" ", 1) for line in text(metrics).splitlines() if not line.startswith("#"))
    return {line[0]: line[1] for line in lines}


def text(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def counted(metrics: Metrics, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """A metric's buckets, or samples above 0, by the values of the labels, which are all that it has."""
    return {
        tuple(sample.labels[label] for label in labels or sample.labels): sample.value
        for family in text_string_to_metric_families(text(metrics))
        for sample in family.samples
        if sample.name == name and (sample.value or "le" in sample.labels)
    }


def test_envelopes_are_counted_by_connection_disposition_and_reason(metrics: Metrics) -> None:
    rejected = Decision("a", CONNECTION, Disposition.REJECTED, (Finding("INVALID_EMAIL", "identity.email", "..."),))
    cut = Decision("b", CONNECTION, Disposition.ACCEPTED, adjustments=(Finding("VALUE_TRUNCATED", "x", "..."),) * 2)
    metrics.count_decisions([rejected, cut, cut])
    assert counted(metrics, "intercomd_envelopes_received_total", "connection", "disposition", "reason") == {
        (CONNECTION, "rejected", "INVALID_EMAIL"): 1,
        (CONNECTION, "accepted", ""): 2,
    }
    assert counted(metrics, "intercomd_adjustments_total", "connection", "reason") == {
        (CONNECTION, "VALUE_TRUNCATED"): 4
    }


def test_outcomes_are_counted_by_connection_type_and_reason(metrics: Metrics) -> None:
    metrics.count_outcomes([outcome()] * 3 + [outcome(OutcomeType.DEAD_LETTERED, "EXPIRED")])
    metrics.count_outcomes([outcome()])
    assert counted(metrics, "intercomd_outcomes_total", "connection", "type", "reason") == {
        (CONNECTION, "delivered", ""): 4,
        (CONNECTION, "dead_lettered", "EXPIRED"): 1,
    }


@pytest.mark.parametrize(
    ("status", "label"),
    [(200, "2xx"), (202, "2xx"), (301, "3xx"), (429, "4xx"), (503, "5xx"), (0, "none"), (999, "none")],
)
def test_calls_are_counted_by_call_and_status_class(metrics: Metrics, status: int, label: str) -> None:
    metrics.count_call(CONNECTION, Call.TRACK_EVENT, status, 0.15)
    assert counted(metrics, "intercomd_intercom_calls_total", "connection", "call", "status") == {
        (CONNECTION, "POST /events", label): 1
    }


def test_calls_are_measured(metrics: Metrics) -> None:
    metrics.count_call(CONNECTION, "POST /contacts", 200, 0.15)
    metrics.count_call(CONNECTION, "POST /contacts", 200, 60.0)
    buckets = counted(metrics, "intercomd_intercom_call_duration_seconds_bucket", "connection", "call", "le")
    call = (CONNECTION, "POST /contacts")
    assert (buckets[(*call, "0.1")], buckets[(*call, "0.2")], buckets[(*call, "+Inf")]) == (0, 1, 2)
    assert counted(metrics, "intercomd_intercom_call_duration_seconds_sum", "connection", "call") == {call: 60.15}


@pytest.mark.parametrize(
    ("status", "label"), [(401, "401"), (404, "404"), (429, "429"), (503, "503"), (418, "other"), (599, "other")]
)
def test_refusals_are_counted_by_call_and_status(metrics: Metrics, status: int, label: str) -> None:
    for answered in (status, 200, 302, 0):
        metrics.count_call(CONNECTION, Call.TRACK_EVENT, answered, 0.15)
    assert counted(metrics, "intercomd_intercom_refusals_total", "connection", "call", "status") == {
        (CONNECTION, "POST /events", label): 1
    }


def test_latency_is_measured_from_acceptance_to_the_outcome_of_the_first_delivery(metrics: Metrics) -> None:
    replayed = replace(outcome(), replay=1)
    discarded = outcome(OutcomeType.DISCARDED, "EXPIRED")
    late = replace(outcome(OutcomeType.DEAD_LETTERED, "EXPIRED"), end_time=4.0)
    metrics.count_outcomes([outcome(), late, replayed, discarded])
    assert counted(metrics, "intercomd_delivery_latency_seconds_count") == {(CONNECTION,): 2}
    assert counted(metrics, "intercomd_delivery_latency_seconds_sum") == {(CONNECTION,): 4.0}
    buckets = counted(metrics, "intercomd_delivery_latency_seconds_bucket", "le")
    assert (buckets["0.5",], buckets["1.0",], buckets["5.0",]) == (0, 1, 2)


def effect(name: str, type_: OutcomeType = OutcomeType.DELIVERED, kind: EffectKind = EffectKind.EVENT) -> Effect:
    return Effect(kind, name, 1, type_, "", 202, "", 1)


def test_delivered_event_names_are_counted_once_each(metrics: Metrics) -> None:
    first = replace(outcome(), effects=(effect("came"), effect("Came"), effect("left"), effect("", kind=CONTACT)))
    refused = replace(outcome(OutcomeType.DEAD_LETTERED, "x"), effects=(effect("new", OutcomeType.DEAD_LETTERED),))
    metrics.count_outcomes([first, refused, replace(first, connection="unknown"), replace(first, replay=1)])
    assert counted(metrics, "intercomd_event_names_in_use") == {(CONNECTION,): 2}


@pytest.mark.fills("telemetry.metrics.EVENT_NAMES_MAX")
def test_event_names_are_collected_up_to_a_limit(metrics: Metrics) -> None:
    names = tuple(effect(f"event {number}") for number in range(EVENT_NAMES_MAX + 5))
    metrics.count_outcomes([replace(outcome(), effects=names)])
    assert counted(metrics, "intercomd_event_names_in_use") == {(CONNECTION,): EVENT_NAMES_MAX}


def test_series_of_a_connection_exist_from_the_start_at_zero(metrics: Metrics) -> None:
    """Prometheus' `increase` misses the first increase of a series that begins above 0."""
    found = scrape(metrics)
    for reason in REASONS:
        code, start = reason.code, 'connection="default"'
        series = {
            ReasonKind.VIOLATION: f'envelopes_received_total{{{start},disposition="rejected",reason="{code}"}}',
            ReasonKind.SKIP: f'envelopes_received_total{{{start},disposition="skipped",reason="{code}"}}',
            ReasonKind.ADJUSTMENT: f'adjustments_total{{{start},reason="{code}"}}',
            ReasonKind.DEAD_LETTER: f'outcomes_total{{{start},reason="{code}",type="dead_lettered"}}',
            ReasonKind.LEFT_OUT: f'outcomes_total{{{start},reason="{code}",type="skipped"}}',
            ReasonKind.NOTICE: f'notices_total{{{start},notice="{code}"}}',
        }.get(reason.kind)
        assert series is None or found[f"intercomd_{series}"] == "0.0", reason
    for call in Call:
        for status_class in ("2xx", "3xx", "4xx", "5xx", "none"):
            labels = f'call="{call.value}",connection="default",status="{status_class}"'
            assert found[f"intercomd_intercom_calls_total{{{labels}}}"] == "0.0"
        for status in (401, 404, 409, 413, 422, 429):
            labels = f'call="{call.value}",connection="default",status="{status}"'
            assert found[f"intercomd_intercom_refusals_total{{{labels}}}"] == "0.0"
    assert found['intercomd_delivery_latency_seconds_count{connection="default"}'] == "0.0"
    assert found['intercomd_requests_total{caller="",code="UNAUTHENTICATED",method="Publish"}'] == "0.0"
    unknown = 'connection="other",disposition="rejected",reason="UNKNOWN_CONNECTION"'
    assert found[f"intercomd_envelopes_received_total{{{unknown}}}"] == "0.0"


def test_connections_of_new_settings_start_at_zero_beside_the_old_ones(metrics: Metrics) -> None:
    metrics.count_outcomes([replace(outcome(), effects=(effect("came"),))])
    metrics.set_connections([CONNECTION, "eu"])
    found = scrape(metrics)
    assert found['intercomd_outcomes_total{connection="eu",reason="",type="delivered"}'] == "0.0"
    assert found['intercomd_outcomes_total{connection="default",reason="",type="delivered"}'] == "1.0"
    assert found['intercomd_spool_envelopes{connection="eu",priority="normal"}'] == "0.0"
    assert counted(metrics, "intercomd_event_names_in_use") == {(CONNECTION,): 1}


def test_commits_are_counted_and_measured(metrics: Metrics) -> None:
    metrics.count_commit(200, 0.004)
    metrics.count_commit(1, 0.003)
    metrics.count_damage()
    assert counted(metrics, "intercomd_spool_damages_total") == {(): 1}
    assert counted(metrics, "intercomd_spool_committed_rows_total") == {(): 201}
    assert counted(metrics, "intercomd_spool_commit_duration_seconds_count") == {(): 2}


def test_connection_state_is_the_last_reported(metrics: Metrics) -> None:
    metrics.set_state(CONNECTION, ConnectionState.VERIFYING)
    metrics.set_state(CONNECTION, ConnectionState.SUSPENDED)
    states = counted(metrics, "intercomd_connection_state", "connection", "state")
    assert [state for (_, state), value in states.items() if value] == ["suspended"]


def test_spool_usage_is_read_at_the_scrape(metrics: Metrics) -> None:
    found = scrape(metrics)
    assert found['intercomd_spool_envelopes{connection="default",priority="normal"}'] == "3.0"
    assert found["intercomd_spool_fill_ratio"] == "0.1"
    assert found['intercomd_spool_oldest_age_seconds{connection="default"}'] == "60.0"


def test_build_process_and_lost_lines_are_exported(metrics: Metrics) -> None:
    metrics.watch_log(lambda: 7)
    found = scrape(metrics)
    assert found['intercomd_build_info{version="1.2.3"}'] == "1.0"
    assert found["intercomd_log_lines_lost_total"] == "7.0"
    assert float(found["process_resident_memory_bytes"]) > 0


def test_sent_or_received_text_never_becomes_a_label(metrics: Metrics) -> None:
    for number in range(50):
        strange = f"alice{number}@example.com"
        metrics.count_decisions(
            [Decision(strange, strange, Disposition.REJECTED, (Finding(strange, strange, strange),))]
        )
        metrics.count_decisions(
            [Decision("a", CONNECTION, Disposition.ACCEPTED, adjustments=(Finding(strange, "x", "x"),))]
        )
        metrics.count_outcomes([outcome(OutcomeType.DEAD_LETTERED, strange, strange)])
        metrics.count_call(strange, f"GET /contacts/{number}", 200, 1.0)
        metrics.set_state(strange, ConnectionState.DOWN)
        metrics.count_notice(strange, "attribute_created")
    assert "alice" not in text(metrics)
    assert counted(metrics, "intercomd_outcomes_total", "connection", "type", "reason") == {
        ("other", "dead_lettered", "other"): 50
    }
    assert counted(metrics, "intercomd_intercom_calls_total", "connection", "call", "status") == {
        ("other", "other", "2xx"): 50
    }
    assert counted(metrics, "intercomd_notices_total", "connection", "notice") == {("other", "attribute_created"): 50}


def test_every_family_is_exported_with_help_and_type(metrics: Metrics) -> None:
    for name in families(metrics):
        assert f"# HELP {name} " in text(metrics)
        assert f"# TYPE {name} " in text(metrics)


def families(metrics: Metrics) -> Iterator[str]:
    return (match[1] for match in re.finditer(r"# TYPE (intercomd_\w+) ", text(metrics)))


def test_metric_names_follow_prometheus(metrics: Metrics) -> None:
    names = set(families(metrics))
    assert len(names) > 20
    for line in text(metrics).splitlines():
        if line.startswith("# TYPE intercomd_"):
            _, _, name, kind = line.split()
            assert (kind == "counter") == name.endswith("_total"), line
            assert not re.search(r"_(milliseconds|ms|kb|mb|count|created)$", name), line


def test_global_registry_stays_empty(metrics: Metrics) -> None:
    metrics.count_outcomes([outcome()])
    assert b"intercomd" not in generate_latest(REGISTRY)


def test_daemons_in_one_process_count_separately(metrics: Metrics) -> None:
    other = Metrics("1.2.3", [CONNECTION], usage=lambda: Usage({}, 0, 0, ""), statuses=list, clock=lambda: 0.0)
    metrics.count_outcomes([outcome()])
    assert counted(other, "intercomd_outcomes_total", "connection", "type", "reason") == {}


def test_series_of_a_caller_exist_from_the_start_at_zero(metrics: Metrics) -> None:
    """Without callers in the settings the caller of every call is the empty name."""
    metrics.set_callers([])
    found = scrape(metrics)
    for method in ("Publish", "PublishStream", "Preview"):
        assert found[f'intercomd_requests_total{{caller="",code="OK",method="{method}"}}'] == "0.0"
    metrics.set_callers(["billing", "shop"])
    found = scrape(metrics)
    for caller in ("billing", "shop"):
        for code in ("OK", "INVALID_ARGUMENT", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAVAILABLE"):
            assert found[f'intercomd_requests_total{{caller="{caller}",code="{code}",method="Publish"}}'] == "0.0"


def test_series_of_discards_exist_from_the_start_at_zero(metrics: Metrics) -> None:
    found = scrape(metrics)
    for reason in REASONS:
        if reason.kind is ReasonKind.DEAD_LETTER:
            series = f'connection="default",reason="{reason.code}",type="discarded"'
            assert found[f"intercomd_outcomes_total{{{series}}}"] == "0.0"


def test_series_of_an_agent_exist_from_the_start_at_zero(metrics: Metrics) -> None:
    agent = Metrics(
        "1.2.3", [CONNECTION], usage=lambda: Usage({}, 0, 0, ""), statuses=list, clock=lambda: 0.0, agent=True
    )
    found = scrape(agent)
    for code in ("OK", "UNAVAILABLE", "UNAUTHENTICATED", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"):
        assert found[f'intercomd_forward_calls_total{{code="{code}",connection="default"}}'] == "0.0"
    assert found['intercomd_outcomes_total{connection="default",reason="",type="forwarded"}'] == "0.0"
    for reason in REASONS:
        if reason.kind in {ReasonKind.VIOLATION, ReasonKind.SKIP}:
            type_ = "dead_lettered" if reason.kind is ReasonKind.VIOLATION else "skipped"
            series = f'connection="default",reason="{reason.code}",type="{type_}"'
            assert found[f"intercomd_outcomes_total{{{series}}}"] == "0.0"
    assert not counted(metrics, "intercomd_forward_calls_total")
