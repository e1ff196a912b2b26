"""Tests `intercomd status`."""

import json

import click
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from daemons.commands import invoke
from daemons.process import Daemon
from intercomd.v1 import ingest_pb2
from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.layout import lay_out_table
from intercomd_daemon.cli.status import COLUMNS, obstacles_of, remarks_of, row_of, summary_of

BUDGET = messages.Budget(limit=167, remaining=118, window=Duration(seconds=10))


@pytest.mark.asyncio(loop_scope="module")
async def test_status_shows_a_running_daemon(daemon: Daemon) -> None:
    await daemon.heard("connection", state="delivering")
    result = await invoke("status", "--operations", daemon.operations_address)
    assert result.exit_code == 0
    assert "serving since" in result.stdout
    assert "Sandbox (sandbox, us)" in result.stdout


@pytest.mark.asyncio(loop_scope="module")
async def test_status_json_is_the_response(daemon: Daemon) -> None:
    result = await invoke("status", "--operations", daemon.operations_address, "--json")
    status = json.loads(result.stdout)
    assert (status["state"], status["connections"][0]["name"]) == ("DAEMON_STATE_SERVING", "default")
    assert status["spool"]["envelopes"] == "0"


def test_row_of_has_a_cell_for_each_column() -> None:
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
        "delivering, dry run",
        "12,034",
        "0",
        "0",
        "12 s",
        "3",
        "118 of 167",
        "9",
        "Shop\\x1b (abc, eu)",
    ]
    assert (row, len(row)) == (shown, len(COLUMNS))


def test_row_of_shows_unknown_values() -> None:
    row = row_of(messages.ConnectionStatus(name="eu", state=messages.CONNECTION_STATE_VERIFYING))
    assert (row[9], row[1], row[5], row[7]) == ("? ()", "verifying", "-", "not known yet")


def test_row_of_shows_a_later_state_by_its_number() -> None:
    assert row_of(messages.ConnectionStatus(state=messages.ConnectionState.ValueType(77)))[1] == "77"


BUSY = messages.ConnectionStatus(
    name="default",
    app_id="abc12345",
    workspace_name="Shop",
    region="eu",
    state=messages.CONNECTION_STATE_DELIVERING,
    waiting_normal=12_345,
    oldest_age=Duration(seconds=9_000),
    budget=BUDGET,
    calls_made=1_234,
)
DRY = messages.ConnectionStatus(name="production-eu", state=messages.CONNECTION_STATE_SUSPENDED, dry_run=True)


def test_table_at_80_columns_continues_with_the_workspace() -> None:
    lines = lay_out_table(COLUMNS, [row_of(BUSY), row_of(DRY)], 80)
    assert [click.unstyle(line) for line in lines] == [
        "connection     state        waiting  bulk  parked  oldest  dead         budget",
        "    calls  workspace",
        "default        delivering    12,345     0       0   2.5 h     0     118 of 167",
        "    1,234  Shop (abc12345, eu)",
        "production-eu  suspended, dry run        0     0       0       -     0",
        "    not known yet      0  ? ()",
    ]


def test_table_at_140_columns_has_a_line_for_each_connection() -> None:
    lines = lay_out_table(COLUMNS, [row_of(BUSY)], 140)
    assert [click.unstyle(line) for line in lines] == [
        "connection  state       waiting  bulk  parked  oldest  dead      budget  calls  workspace",
        "default     delivering   12,345     0       0   2.5 h     0  118 of 167  1,234  Shop (abc12345, eu)",
    ]


def test_summary_of_names_state_and_spool() -> None:
    spool = ingest_pb2.SpoolStatus(envelopes=2, bytes=2048, fill_ratio=0.5, oldest_age=Duration(seconds=90))
    status = messages.GetStatusResponse(version="1", state=messages.DAEMON_STATE_DRAINING, spool=spool)
    assert summary_of(status) == [
        "intercomd 1: draining since 1970-01-01T00:00:00Z",
        "spool: 2 envelopes waiting, 2.0 KiB in use (50.0% of the limit), the oldest for 1.5 min",
    ]


def test_remarks_of_names_each_problem() -> None:
    at = Timestamp(seconds=0)
    connections = [
        messages.ConnectionStatus(name="a", suspended_reason="UNAUTHORIZED", suspended_since=at, next_probe_time=at),
        messages.ConnectionStatus(name="b", last_error="POST /events: 503", dead_letters=1),
        messages.ConnectionStatus(name="c", state=messages.CONNECTION_STATE_UNCONFIGURED),
        messages.ConnectionStatus(name="d", state=messages.CONNECTION_STATE_PAUSED),
        messages.ConnectionStatus(name="e", state=messages.CONNECTION_STATE_DOWN),
    ]
    status = messages.GetStatusResponse(connections=connections, spool=ingest_pb2.SpoolStatus(fill_ratio=1.0))
    remarks = remarks_of(status)
    assert [remark.split()[0] for remark in remarks] == ["The", "a", "a", "b:", "b", "c", "d", "e"]
    assert "its disk is full or fails" in remarks[0]
    assert "UNAUTHORIZED: Put a valid token" in remarks[1]
    assert "dead-letters list --connection b" in remarks[4]
    assert "intercomd resume d" in remarks[6]


def test_remarks_of_a_healthy_daemon_is_empty() -> None:
    assert remarks_of(messages.GetStatusResponse(connections=[messages.ConnectionStatus(name="a")])) == []


def test_connection_of_an_agent_names_its_gateway() -> None:
    connection = messages.ConnectionStatus(
        name="default",
        state=messages.CONNECTION_STATE_SUSPENDED,
        suspended_reason="UPSTREAM_CHANGED",
        upstream="dns:///gateway:50051",
        upstream_spool_id="s-1",
    )
    assert row_of(connection)[-1] == "gateway dns:///gateway:50051 (spool s-1)"
    (line,) = obstacles_of(connection)
    assert "confirm the new one with intercomd retry CONNECTION" in line
    connection.state = messages.CONNECTION_STATE_DOWN
    connection.suspended_reason = ""
    assert obstacles_of(connection) == ["default is down: the gateway does not take envelopes"]
