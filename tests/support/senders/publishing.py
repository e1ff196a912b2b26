"""Envelopes and statuses for the tests of the Python publishers."""

from collections.abc import Sequence

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from intercomd import CustomEvent, Disposition, Envelope, Identity, Publisher

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
REJECTED = Disposition.DISPOSITION_REJECTED
CODE = grpc.StatusCode
PUSHBACK = (("grpc-retry-pushback-ms", "5"),)


def event(name: str) -> Envelope:
    return Envelope(identity=Identity(customer_id="42"), custom_event=CustomEvent(name=name))


def numbered(count: int) -> list[Envelope]:
    return [event(f"event-{number}") for number in range(count)]


def names(envelopes: Sequence[Envelope]) -> list[str]:
    return [envelope.custom_event.name for envelope in envelopes]


async def publish_all(publisher: Publisher, envelopes: Sequence[Envelope]) -> None:
    for envelope in envelopes:
        await publisher.publish(envelope)


def status_details(*details: Message) -> tuple[tuple[str, bytes]]:
    """Returns trailers with a google.rpc.Status that has these details."""
    status = Status(code=8)
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return (("grpc-status-details-bin", status.SerializeToString()),)
