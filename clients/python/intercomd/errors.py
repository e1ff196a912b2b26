"""The errors that publishers raise."""

from collections.abc import Sequence

import grpc

from intercomd.v1.envelope_pb2 import Envelope


class PublishError(Exception):
    """The publisher is closed, or has stopped because the daemon refuses its requests.

    It stops where repeating does not help: a refused credential, a target that is not intercomd, or the end of
    `repeat_seconds_max`. `close()` returns the envelopes without a response.

    Attributes:
        code: the status that ended it; None if no call had a response.
        unanswered: the envelopes without a response, if leaving a block (`async with`, `with`) raised the error.
    """

    def __init__(self, message: str, code: grpc.StatusCode | None = None, unanswered: Sequence[Envelope] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.unanswered = list(unanswered)

    @classmethod
    def of_stop(cls, error: BaseException) -> "PublishError":
        """Returns the error of a publisher that an unexpected one has stopped."""
        failure = cls(f"the publisher stopped: {error!r}")
        failure.__cause__ = error
        return failure

    def again(self) -> "PublishError":
        """Returns a new error for another caller, caused by this one."""
        error = PublishError(str(self), self.code)
        error.__cause__ = self
        return error


class PublisherClosedError(PublishError):
    """The publisher was closed by its owner."""

    def __init__(self) -> None:
        super().__init__("the publisher is closed")
