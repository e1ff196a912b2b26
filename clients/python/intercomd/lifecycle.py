"""Handles forks and the ends of processes for open publishers."""

import atexit
import logging
import os
import sys
import time
import weakref
from typing import Protocol

from intercomd.errors import PublisherClosedError, PublishError
from intercomd.v1.envelope_pb2 import Envelope

EXIT_SECONDS_MAX = 5.0
"""How long a process that ends sends the envelopes of publishers that were not closed."""

logger = logging.getLogger("intercomd")


class Endable(Protocol):
    """An open publisher."""

    def end_at_exit(self, deadline: float) -> int:
        """Sends what it can before `deadline` of `time.monotonic`; returns the count of envelopes left."""


class Forkable(Protocol):
    """A publisher that starts anew in a forked child."""

    def start_anew(self) -> None:
        """Forgets what belongs to the parent: its envelopes, threads and connections."""


class _Process:
    """The publishers of this process."""

    def __init__(self) -> None:
        self.open: dict[Endable, bool] = {}  # whether it is an asyncio publisher
        self.forkable: weakref.WeakSet[Forkable] = weakref.WeakSet()
        self.inherited: list[Endable] = []
        self.inherits_asyncio = False
        self.registered = False
        self.warned = False


_process = _Process()


def opened(publisher: Endable, *, uses_asyncio: bool) -> None:
    """Registers a publisher that opens its channel: from now on it is flushed when the process ends."""
    process = _process
    process.open[publisher] = uses_asyncio
    if os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "").lower() not in {"", "0", "false", "no"} and not process.warned:
        process.warned = True
        logger.warning(
            "GRPC_ENABLE_FORK_SUPPORT is set: gRPC's fork handlers crash or hang forked children. Unset it; "
            "BlockingPublisher survives forks without it"
        )
    if not process.registered:
        process.registered = True
        atexit.register(_flush_at_exit)
        if util := sys.modules.get("multiprocessing.util"):
            # Children of multiprocessing end by os._exit, which runs these finalizers and no atexit.
            util.Finalize(None, _flush_at_exit, exitpriority=100)


def closed(publisher: Endable) -> None:
    """Unregisters a closed publisher."""
    _process.open.pop(publisher, None)


def survives_forks(publisher: Forkable) -> None:
    """Registers a publisher that starts anew in forked children."""
    _process.forkable.add(publisher)


def check_asyncio_after_fork() -> None:
    """Raises PublishError in a child whose parent had an open asyncio publisher: gRPC's calls would hang here."""
    if _process.inherits_asyncio:
        raise PublishError(
            "this process was forked while an asyncio Publisher was open, and grpc.aio hangs in such a child: use "
            "BlockingPublisher, or make the Publisher after the fork, such as in gunicorn's post_fork"
        )


def end_scope(
    error: BaseException | None,
    left: list[Envelope],
    failure: PublishError | None,
    last_failure: PublishError | None,
    seconds: float,
) -> None:
    """Ends a `with` block, after its publisher was closed.

    Args:
        error: the exception of the block, if any.
        left: the envelopes without a response.
        failure: the reason why the publisher stopped or was closed.
        last_failure: the newest failed call.
        seconds: how long `close` waited.

    Raises:
        PublishError: with the envelopes and the cause, unless the block raised. Then that error gets a note.
    """
    if not left:
        return
    cause = last_failure if isinstance(failure, PublisherClosedError) else failure
    reason = f": {cause}" if cause else f" within {seconds:g} s"
    text = f"{len(left)} envelopes were not answered{reason}"
    if error is None:
        raise PublishError(text, cause.code if cause else None, left) from cause
    error.add_note(f"intercomd: {text}; the publisher's `unanswered` holds them")
    logger.warning("%s; the publisher's `unanswered` holds them", text)


def late(seconds: float | None, last_failure: PublishError | None) -> TimeoutError:
    """Returns the error of a wait for results that ended after `seconds`; it names the newest failed call."""
    limit = "" if seconds is None else f" after {seconds:g} s"
    cause = f": {last_failure}" if last_failure else ""
    return TimeoutError(f"no result{limit}, and the publisher goes on sending{cause}")


def log_interrupted(left: list[Envelope]) -> None:
    """Logs how many envelopes have no response after a signal or a cancellation has ended the wait of `close`."""
    if left:
        logger.warning(
            "close was interrupted: %d envelopes were not answered; the publisher's `unanswered` holds them", len(left)
        )


def _flush_at_exit() -> None:
    deadline = time.monotonic() + EXIT_SECONDS_MAX
    left = sum(publisher.end_at_exit(deadline) for publisher in list(_process.open))
    _process.open.clear()
    if left:
        logger.warning(
            "%d envelopes were not sent when the process ended. Close the publisher before: close() waits for the "
            "responses and returns the envelopes without one",
            left,
        )


def _after_fork_in_child() -> None:
    process = _process
    process.inherits_asyncio = process.inherits_asyncio or any(process.open.values())
    process.inherited += process.open  # never finalized: their connections are the parent's
    process.open.clear()
    process.registered = False
    atexit.unregister(_flush_at_exit)
    for publisher in list(process.forkable):
        publisher.start_anew()


os.register_at_fork(after_in_child=_after_fork_in_child)
