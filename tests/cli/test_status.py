"""`intercomd status`: what is shown of a daemon."""

import json

import pytest
from commands import invoke
from daemons import Daemon
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1 import ingest_pb2
from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.status import COLUMNS, remarks_of, row_of, summary_of

BUDGET = messages.Budget(limit=167, remaining=118, window=Duration(seconds=10))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_running_daemon_is_shown(daemon: Daemon) -> None:
    await daemon.heard("connection", standing="delivering")
    result = await invoke("status", "--operations", daemon.operations_address)
    assert result.exit_code == 0
    assert "serving since" in result.stdout
    assert "Sandbox (sandbox, us)" in result.stdout


@pytest.mark.asyncio(loop_scope="module")
async def test_scripts_get_the_answer_as_it_is(daemon: Daemon) -> None:
    result = await invoke("status", "--operations", daemon.operations_address, "--json")
    status = json.loads(result.stdout)
    assert (status["state"], status["connections"][0]["name"]) == ("DAEMON_STATE_SERVING", "default")
    assert status["spool"]["envelopes"] == "0"


def test_a_connection_is_a_row_with_a_cell_for_each_column() -> None:
    row = row_of(
        messages.ConnectionStatus(
            name="eu",
            app_id="abc",
            workspace_name="Shop\x1b",
            region="eu",
            state=messages.CONNECTION_STATE_DELIVERING,
            dry_run=True,
            waiting_normal=12_034,
            oldest_age=Duration(seconds=12),
            dead_letters=3,
            budget=BUDGET,
            calls_made=9,
        )
    )
    shown = [
        "eu",
        "Shop\\x1b (abc, eu)",
        "delivering, dry run",
        "12,034",
        "0",
        "0",
        "12 s",
        "3",
        "118 of 167 / 10 s",
        "9",
    ]
    assert (row, len(row)) == (shown, len(COLUMNS))


def test_what_is_not_known_yet_is_shown_as_such() -> None:
    row = row_of(messages.ConnectionStatus(name="eu", state=messages.CONNECTION_STATE_VERIFYING))
    assert (row[1], row[2], row[6], row[8]) == ("? ()", "verifying", "-", "not known yet")


def test_a_state_of_a_later_version_is_shown_by_its_number() -> None:
    assert row_of(messages.ConnectionStatus(state=messages.ConnectionState.ValueType(77)))[2] == "77"


def test_the_spool_is_summed_up() -> None:
    spool = ingest_pb2.SpoolStatus(envelopes=2, bytes=2048, fill_ratio=0.5, oldest_age=Duration(seconds=90))
    status = messages.GetStatusResponse(version="1", state=messages.DAEMON_STATE_DRAINING, spool=spool)
    assert summary_of(status) == [
        "intercomd 1: draining since 1970-01-01T00:00:00Z",
        "spool: 2 envelopes waiting, 2.0 KiB in use (50.0% of what is allowed), the oldest for 1.5 min",
    ]


def test_what_an_operator_should_look_at_is_said() -> None:
    at = Timestamp(seconds=0)
    connections = [
        messages.ConnectionStatus(name="a", suspended_reason="UNAUTHORIZED", suspended_since=at, next_probe_time=at),
        messages.ConnectionStatus(name="b", last_error="POST /events: 503", dead_letters=1),
        messages.ConnectionStatus(name="c", state=messages.CONNECTION_STATE_UNCONFIGURED),
    ]
    status = messages.GetStatusResponse(connections=connections, spool=ingest_pb2.SpoolStatus(fill_ratio=1.0))
    remarks = remarks_of(status)
    assert [remark.split()[0] for remark in remarks] == ["The", "a", "a", "b,", "b", "c"]
    assert "UNAUTHORIZED" in remarks[1]


def test_where_all_is_well_nothing_is_said() -> None:
    assert remarks_of(messages.GetStatusResponse(connections=[messages.ConnectionStatus(name="a")])) == []
