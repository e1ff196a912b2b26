"""Previews the calls that an envelope would take for an unknown contact: a lane whose calls all succeed."""

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.classification import Classification, Kind
from intercomd_daemon.deliver.intercom.messages import Request, Response
from intercomd_daemon.deliver.lane.actions import Idle, Send
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.lane import Lane
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, lane_of
from intercomd_daemon.outcome import Progress

_SUCCESS = Classification(Kind.DONE)
_RESPONSE = Response(200)


def preview(envelope: AcceptedEnvelope, settings: ConnectionSettings, now: float) -> list[Request]:
    """Returns the calls for this envelope if every call succeeds and every custom attribute exists."""
    catalog = AttributeCatalog(settings)
    catalog.unreadable(now)
    lane = Lane(lane_of(envelope.customer_id, envelope.email), Contact(), settings, catalog, UnavailableContacts())
    lane.queue.add(PendingEnvelope(0, Priority.NORMAL, envelope, Progress()))
    requests: list[Request] = []
    while not isinstance(step := lane.next(now), Idle):
        if isinstance(step, Send):
            requests.append(step.request)
            lane.on_response(_SUCCESS, _RESPONSE, now)
    return requests
