"""Reloading the settings of a running daemon by SIGHUP, under load too."""

import asyncio
import os
import signal
from itertools import count
from pathlib import Path
from typing import Any

from daemons.process import Daemon, connection_for, write_settings
from intercomd.v1.ingest_pb2 import Disposition
from intercomd.v1.operations_pb2 import (
    ConnectionState,
    GetStatusRequest,
    PauseConnectionRequest,
    ResumeConnectionRequest,
)
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from senders.client import NOON, envelope

ACCEPTED, REJECTED = Disposition.DISPOSITION_ACCEPTED, Disposition.DISPOSITION_REJECTED


def rewrite(daemon: Daemon, sandbox: Sandbox, **tables: Any) -> None:  # noqa: ANN401 - tables of settings
    write_settings(daemon.folder, sandbox.base_url, tables)


async def reload(daemon: Daemon) -> dict[str, Any]:
    """Sends SIGHUP and returns the line that says what came of it."""
    seen = len(daemon.logged("reloaded")) + len(daemon.logged("reload_failed"))
    daemon.signal(signal.SIGHUP)
    await daemon.until(lambda: len(daemon.logged("reloaded")) + len(daemon.logged("reload_failed")) > seen)
    return [line for line in daemon.since_start() if line["event"] in {"reloaded", "reload_failed"}][-1]


async def test_unchanged_file_changes_nothing(daemon: Daemon) -> None:
    line = await reload(daemon)
    assert (line["event"], line["changed"], line["needs_restart"]) == ("reloaded", "", "")
    assert daemon.logged("connection", state="verifying") == []


async def test_connection_is_added_and_removed_while_others_deliver(
    daemon: Daemon, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The envelopes of the removed one stay, and are delivered once it is back."""
    changed = "connections.shop, connections.default.unchanged_for"  # Both write to one workspace.
    sandbox.workspace.add_contact("u1")
    shop = connection_for(sandbox.base_url, tmp_path / "token")
    to_shop = envelope("u1", "Shopped", envelope_id="first", connection="shop")
    assert (await daemon.publish(to_shop)).results[0].disposition == REJECTED
    rewrite(daemon, sandbox, connections={"shop": shop})
    assert (await reload(daemon))["changed"] == changed
    assert (await daemon.publish(to_shop)).results[0].disposition == ACCEPTED
    await daemon.ended(["first"])
    await daemon.operations.PauseConnection(PauseConnectionRequest(connection="shop"))
    await daemon.publish(envelope("u1", "Kept", envelope_id="kept", connection="shop"))
    rewrite(daemon, sandbox)
    assert (await reload(daemon))["changed"] == changed
    assert (await daemon.connection("shop")).state == ConnectionState.CONNECTION_STATE_UNCONFIGURED
    await daemon.publish(envelope("u1", "Other", envelope_id="other"))
    await daemon.ended(["other"])
    rewrite(daemon, sandbox, connections={"shop": shop})
    await reload(daemon)
    await daemon.operations.ResumeConnection(ResumeConnectionRequest(connection="shop"))
    await daemon.ended(["kept"])


async def test_invalid_file_changes_nothing_and_names_every_problem(daemon: Daemon, sandbox: Sandbox) -> None:
    sandbox.workspace.add_contact("u1")
    rewrite(daemon, sandbox, ingest={"envelopes_max": 0}, connections={"default": {"region": "moon"}})
    line = await reload(daemon)
    assert line["event"] == "reload_failed"
    assert "ingest.envelopes_max" in line["error"]
    assert "connections.default.region" in line["error"]
    (daemon.folder / "intercomd.toml").write_text("[ingest\n")
    assert (await reload(daemon))["event"] == "reload_failed"
    (daemon.folder / "intercomd.toml").unlink()
    assert (await reload(daemon))["event"] == "reload_failed"
    os.mkfifo(daemon.folder / "intercomd.toml")
    assert (await reload(daemon))["error"].endswith("is not a regular file; put one there")
    await daemon.publish(envelope("u1", "Still", envelope_id="still"))
    await daemon.ended(["still"])


async def test_missing_ca_file_changes_nothing(daemon: Daemon, sandbox: Sandbox) -> None:
    """Files that a setting names are found missing only when they are used; the old worker goes on."""
    sandbox.workspace.add_contact("u1")
    rewrite(daemon, sandbox, connections={"default": {"ca_file": str(daemon.folder / "missing.pem")}})
    line = await reload(daemon)
    assert line["event"] == "reload_failed"
    assert "missing.pem" in line["error"]
    await daemon.publish(envelope("u1", "Still", envelope_id="still"))
    await daemon.ended(["still"])


async def test_setting_that_needs_a_restart_is_named(daemon: Daemon, sandbox: Sandbox) -> None:
    rewrite(daemon, sandbox, spool={"bytes_max": "1GiB"}, ingest={"envelopes_max": 2})
    line = await reload(daemon)
    assert (line["changed"], line["needs_restart"]) == ("ingest.envelopes_max", "spool.bytes_max")


async def test_limits_apply_to_the_next_request(daemon: Daemon, sandbox: Sandbox) -> None:
    rewrite(daemon, sandbox, connections={"default": {"active": False}})
    await reload(daemon)
    skipped = await daemon.publish(envelope("u1", "Skipped", envelope_id="one"))
    assert skipped.results[0].disposition == Disposition.DISPOSITION_SKIPPED
    assert (await daemon.connection()).state == ConnectionState.CONNECTION_STATE_INACTIVE


async def test_reloads_under_load_lose_double_and_reorder_nothing(daemon: Daemon, sandbox: Sandbox) -> None:
    """Twenty reloads that restart the worker each time, while ten users' events are published one after the other."""
    users = [f"u{number}" for number in range(10)]
    for user in users:
        sandbox.workspace.add_contact(user)
    published: dict[str, list[str]] = {user: [] for user in users}
    done = asyncio.Event()

    async def send(user: str) -> None:
        for number in count():
            if done.is_set():
                return
            name = f"{user}-{number}"
            response = await daemon.publish(envelope(user, "Came", at=number, envelope_id=name))
            assert response.results[0].disposition == ACCEPTED
            published[user].append(name)

    async with asyncio.TaskGroup() as tasks:
        for user in users:
            tasks.create_task(send(user))
        for number in range(20):
            rewrite(daemon, sandbox, connections={"default": {"attributes_created_max": 1 + number}})
            assert (await reload(daemon))["event"] == "reloaded"
        done.set()
    everything = [name for names in published.values() for name in names]
    assert everything
    await daemon.ended(everything)
    assert max(daemon.outcomes.values()) == 1
    for user in users:
        arrived = [f"{user}-{event.created_at - NOON}" for event in sandbox.events if event.external_id == user]
        assert arrived == published[user]
    assert sandbox.repeats == []
    status = await daemon.operations.GetStatus(GetStatusRequest())
    assert status.spool.envelopes == 0


async def test_other_workspace_gets_whole_updates_and_its_own_contacts(daemon: Daemon, tmp_path: Path) -> None:
    """Neither the contact's id nor the values that the old workspace has are taken for those of the new one."""
    update = {"plan": "pro"}
    await daemon.publish(envelope("u1", update=update, envelope_id="first"))
    await daemon.ended(["first"])
    await daemon.operations.PauseConnection(PauseConnectionRequest(connection="default"))
    await daemon.publish(envelope("u1", update=update, envelope_id="second"))
    async with Sandbox(SandboxSettings(app_id="other")) as other:
        connection = connection_for(other.base_url, tmp_path / "token", app_id="other")
        write_settings(daemon.folder, other.base_url, {"connections": {"default": connection}})
        line = await reload(daemon)
        assert line["changed"] == "connections.default.app_id, connections.default.base_url"
        assert daemon.logged("workspace_changed", connection="default", waiting=1)
        (warning,) = [line["warning"] for line in daemon.logged("setting")]
        assert warning.startswith("connections.default (another workspace): 1 waiting envelopes go to ")
        await daemon.operations.ResumeConnection(ResumeConnectionRequest(connection="default"))
        await daemon.ended(["second"])
        contact = other.workspace.contacts.find_user("u1")
        assert contact is not None
        assert contact.custom_attributes["plan"] == "pro"
