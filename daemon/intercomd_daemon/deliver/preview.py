"""The calls that an envelope would become, as for a contact of whom nothing is known: the lane itself, no Intercom."""

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.catalogue import Catalogue
from intercomd_daemon.deliver.contact import Contact, Unavailable
from intercomd_daemon.deliver.delivery import Lane
from intercomd_daemon.deliver.exchange import Answer, Request
from intercomd_daemon.deliver.judge import Kind, Verdict
from intercomd_daemon.deliver.step import Rest, Send, rules_of
from intercomd_daemon.deliver.waiting import Waiting
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of
from intercomd_daemon.outcome import Progress

_WELL = Verdict(Kind.DONE)
_ANSWER = Answer(200)


def preview(envelope: AcceptedEnvelope, settings: ConnectionSettings, now: float) -> list[Request]:
    """What would leave for this envelope if every call were answered well and every custom attribute existed."""
    catalogue = Catalogue(settings)
    catalogue.unreadable(now)
    lane = Lane(lane_of(envelope.customer_id, envelope.email), Contact(), rules_of(settings), catalogue, Unavailable())
    lane.queue.add(Waiting(0, Priority.NORMAL, envelope, Progress()))
    requests: list[Request] = []
    while not isinstance(step := lane.next(now), Rest):
        if isinstance(step, Send):
            requests.append(step.request)
            lane.answered(_WELL, _ANSWER, now)
    return requests
