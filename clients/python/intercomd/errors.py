"""What a publisher raises."""

import grpc


class PublishError(Exception):
    """The publisher is closed, or has stopped because the daemon does not take what it sends.

    It stops for reasons that repeating does not mend: a credential that is refused, a target that is no intercomd, a
    bound on repeating that has been reached, a callback that raised. Nothing is lost in silence: `close()` returns the
    envelopes that were left.

    Attributes:
        code: the status that ended it; None where no answer did.
    """

    def __init__(self, message: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(message)
        self.code = code
