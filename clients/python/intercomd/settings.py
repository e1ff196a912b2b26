"""The settings of a publisher, with their units."""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherSettings:
    """The bounds and times of a publisher.

    Attributes:
        batch_envelopes_max: envelopes in one call; the daemon accepts at most 500.
        batch_bytes_max: bytes in one call; the daemon accepts at most 4 MiB.
        linger_seconds: how long the first envelope of a batch waits for others.
        buffer_bytes_max: encoded envelopes held in memory, those in flight included; above it `publish` waits.
        calls_in_flight_max: calls at a time. Above 1, the daemon may accept envelopes out of order.
        call_seconds: how long one call may take; the daemon responds after a disk sync.
        backoff_seconds: the longest first pause after a failed call, unless the daemon requests one; it doubles with
            each failure.
        backoff_seconds_max: the limit of this growth.
        repeat_seconds_max: how long a batch is repeated before the publisher stops with an error; None: for ever.
        close_seconds: how long `close`, and leaving a `with` block, waits for responses.
        validate_only: the daemon returns results for the envelopes, but accepts none.
    """

    batch_envelopes_max: int = 200
    batch_bytes_max: int = MEBIBYTE
    linger_seconds: float = 0.01
    buffer_bytes_max: int = 16 * MEBIBYTE
    calls_in_flight_max: int = 1
    call_seconds: float = 30.0
    backoff_seconds: float = 0.2
    backoff_seconds_max: float = 5.0
    repeat_seconds_max: float | None = None
    close_seconds: float = 10.0
    validate_only: bool = False

    def __post_init__(self) -> None:
        counts = (self.batch_envelopes_max, self.batch_bytes_max, self.buffer_bytes_max, self.calls_in_flight_max)
        if min(counts) < 1:
            raise ValueError("the numbers of envelopes, bytes and calls must be at least 1")
        if self.close_seconds < 0:
            raise ValueError(f"close_seconds is {self.close_seconds}: it must not be negative")
        if min(self.linger_seconds, self.backoff_seconds, self.backoff_seconds_max) < 0 or self.call_seconds <= 0:
            raise ValueError("times must not be negative, and a call must have some")
