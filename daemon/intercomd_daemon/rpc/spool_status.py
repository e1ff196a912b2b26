"""Builds the SpoolStatus message for senders and operators."""

from math import inf

from intercomd.v1.ingest_pb2 import SpoolStatus
from intercomd_daemon.spool.rows import Usage


def spool_status(usage: Usage, now: float) -> SpoolStatus:
    """Returns the status; `now` is Unix seconds."""
    status = SpoolStatus()
    fill_spool_status(status, usage, now)
    return status


def fill_spool_status(status: SpoolStatus, usage: Usage, now: float) -> None:
    """Fills a status in place: protobuf does not allow assigning a message field of a response."""
    envelopes, oldest = 0, inf
    for log in usage.connections.values():
        envelopes += log.normal + log.bulk
        oldest = min(oldest, log.oldest_accept_time or inf)
    status.envelopes = envelopes
    status.spool_id = usage.spool_id
    status.bytes = usage.bytes
    status.fill_ratio = 1.0 if usage.full_reason else min(usage.bytes / usage.bytes_max, 1.0)
    if oldest < inf:
        milliseconds = max(0, int((now - oldest) * 1000))
        age = status.oldest_age
        age.seconds, age.nanos = milliseconds // 1000, milliseconds % 1000 * 1_000_000
