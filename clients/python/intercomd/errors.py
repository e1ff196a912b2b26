"""What a publisher raises."""

from collections.abc import Sequence

import grpc

from intercomd.v1.envelope_pb2 import Envelope


class PublishError(Exception):
    """The publisher is closed, or has stopped because the daemon refuses what it sends.

    It stops for reasons that repeating does not repair: a refused credential, a target that is not intercomd, a
    bound on repeating that was reached. `close()` returns the envelopes without an answer.

    Attributes:
        code: the status that ended it; None if no call was answered.
        unanswered: the envelopes without an answer, where the error ended a scope (`async with`, `with`).
    """

    def __init__(self, message: str, code: grpc.StatusCode | None = None, unanswered: Sequence[Envelope] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.unanswered = list(unanswered)

    def again(self) -> "PublishError":
        """A new error for another caller, caused by this one."""
        error = PublishError(str(self), self.code)
        error.__cause__ = self
        return error


class PublisherClosedError(PublishError):
    """The publisher was closed by its owner."""

    def __init__(self) -> None:
        super().__init__("the publisher is closed")
