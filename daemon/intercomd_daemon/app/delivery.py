"""Creates what delivers to Intercom. Imported when it is used: an agent does not load what it never runs."""

import time
from collections.abc import Callable, Mapping

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.give_up import complete_row
from intercomd_daemon.deliver.intercom import requests
from intercomd_daemon.deliver.intercom.access import Grant, read_access
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.deliver.preview import preview
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.schedule.connection_state import Observer
from intercomd_daemon.deliver.schedule.open_calls import CONNECTIONS_MAX
from intercomd_daemon.deliver.schedule.pacing import Pace
from intercomd_daemon.deliver.worker import Worker
from intercomd_daemon.envelope import AcceptedEnvelope
from intercomd_daemon.spool.base import Outflow

__all__ = ["check_settings", "complete_row", "may_deliver", "new_worker", "preview_calls"]


def check_settings(settings: ConnectionSettings, token: AccessToken) -> None:
    """Raises IntercomdError if no worker could run with the settings."""
    IntercomClient(settings, token, CONNECTIONS_MAX)


def new_worker(
    settings: ConnectionSettings,
    token: AccessToken,
    outflow: Outflow,
    pace: Pace,
    observer: Observer,
    wall: Callable[[], float],
    *,
    paused: bool,
) -> Worker:
    """Returns the worker of a connection, which does not run yet. `wall` returns Unix seconds of the spool's time."""
    client = IntercomClient(settings, token, CONNECTIONS_MAX, outflow.check_held)
    return Worker(settings, outflow, client, pace, observer, paused=paused, clock=Clock(wall=wall))


def preview_calls(envelope: AcceptedEnvelope, settings: ConnectionSettings) -> list[tuple[str, str, str]]:
    """Returns the (method, path, JSON body) of each call that would be made for an envelope."""
    requests = preview(envelope, settings, time.time())
    return [(request.call.method, request.path, request.body.decode()) for request in requests]


async def may_deliver(connections: Mapping[str, ConnectionSettings], tokens: Mapping[str, AccessToken]) -> bool:
    """Returns whether `GET /me` of every connection succeeds."""
    for name, settings in connections.items():
        async with IntercomClient(settings, tokens[name], 1) as client:
            access = read_access(await client.call(requests.ME), settings)
        if access.grant is not Grant.GRANTED:
            return False
    return bool(connections)
