"""Publishers for intercomd, functions that turn Python values into its messages, and the messages most used.

All messages and the gRPC stubs are in `intercomd.v1`.
"""

from intercomd.blocking import BlockingPublisher
from intercomd.envelope_id import new_envelope_id
from intercomd.errors import PublishError
from intercomd.publisher import Publisher
from intercomd.settings import PublisherSettings
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.event_pb2 import CommerceEvent, CustomEvent, OtherEvent, SessionEndEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import Disposition, EnvelopeResult
from intercomd.values import attributes, link, money, tag, timestamp

__all__ = [
    "BlockingPublisher",
    "CommerceEvent",
    "CustomEvent",
    "Disposition",
    "Envelope",
    "EnvelopeResult",
    "Identity",
    "OtherEvent",
    "PublishError",
    "Publisher",
    "PublisherSettings",
    "SessionEndEvent",
    "attributes",
    "link",
    "money",
    "new_envelope_id",
    "tag",
    "timestamp",
]
