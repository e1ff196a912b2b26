"""Calls are made, counted and reported."""

import time

import pytest

from delivery.worker import TOKEN, Notes, settings_for
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.classification import Classification, Kind
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.intercom.messages import Call, Response
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.paced_client import PacedClient
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (200, "ANSWER_UNREADABLE", "POST /events: ANSWER_UNREADABLE"),
        (204, "HTTP_204", "POST /events: HTTP_204"),
        (302, "HTTP_302", "POST /events: HTTP_302"),
        (404, "NOT_INTERCOM", "POST /events: NOT_INTERCOM"),
        (503, "HTTP_503", ""),
        (429, "RATE_LIMITED", ""),
        (0, "NETWORK", ""),
    ],
)
def test_failure_that_its_status_does_not_show_is_noted(status: int, reason: str, expected: str) -> None:
    """The call itself has noted the others."""
    settings = ConnectionSettings(name="default", app_id="a", base_url="http://127.0.0.1:1")
    intercom = IntercomClient(settings, AccessToken(TOKEN), 4)
    client = PacedClient("default", intercom, Pace(10, 1.0, 0.0), Notes(), Clock())
    client.note_failure(Call.TRACK_EVENT, Classification(Kind.TRANSIENT, reason), Response(status))
    assert client.last_error == expected


async def test_each_call_is_counted_reported_and_learned_from() -> None:
    notes, pace = Notes(), Pace(10, 1.0, time.monotonic())
    async with Sandbox(SandboxSettings(recorded=NONE, rate_limit=83)) as sandbox:
        intercom = IntercomClient(settings_for(sandbox), AccessToken(TOKEN), 4)
        client = PacedClient("default", intercom, pace, notes, Clock())
        async with client:
            await client.call(requests.ME)
            assert (client.calls, client.last_error, pace.limit) == (1, "", 83)
            sandbox.fault("GET /me 503")
            await client.call(requests.ME)
            assert (client.calls, client.last_error) == (2, "GET /me: 503")
            sandbox.faults.clear()
            sandbox.fault("GET /me 404")
            await client.call(requests.ME)
            assert (client.calls, client.last_error) == (3, "GET /me: 503")
            await sandbox.stop()
            assert (await client.call(requests.ME)).status == 0
    assert client.last_error == "GET /me: the host cannot be reached"
    client.skip(Call.CREATE_CONTACT)
    assert client.calls == 5
    assert notes.events == [("call_not_made", {"call": "POST /contacts"})]
    assert notes.calls == {("GET /me", 200): 1, ("GET /me", 503): 1, ("GET /me", 404): 1, ("GET /me", 0): 1}
