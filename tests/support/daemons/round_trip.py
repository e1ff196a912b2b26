"""Publishes one envelope and returns the contact calls that it took, and its outcome."""

import re
from typing import NamedTuple

from daemons.process import Daemon
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.operations_pb2 import ListOutcomesRequest, OutcomeFilter
from intercomd.v1.outcome_pb2 import Outcome
from intercomd_daemon.sandbox import Sandbox

CREATE = "POST /contacts"
UPDATE = "PUT /contacts/{id}"
READ = "GET /contacts/{id}"
UNARCHIVE = "POST /contacts/{id}/unarchive"
TRACK = "POST /events"


class RoundTrip(NamedTuple):
    """What became of one envelope."""

    calls: list[str]
    outcome: Outcome

    @property
    def adjustments(self) -> list[str]:
        return [adjustment.reason for adjustment in self.outcome.adjustments]


async def follow(daemon: Daemon, sandbox: Sandbox, sent: Envelope) -> RoundTrip:
    """Publishes one envelope, and gives the calls about users that it took, and its outcome."""
    before = len(sandbox.calls)
    answer = await daemon.publish(sent)
    name = answer.results[0].envelope_id
    await daemon.ended([name])
    request = ListOutcomesRequest(filter=OutcomeFilter(envelope_id=name))
    (outcome,) = (await daemon.operations.ListOutcomes(request)).outcomes
    calls = [f"{call.method} {re.sub('[0-9a-f]{24}', '{id}', call.path)}" for call in sandbox.calls[before:]]
    return RoundTrip([call for call in calls if "/contacts" in call or "/events" in call], outcome)
