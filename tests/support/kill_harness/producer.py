"""A sender as a process: publishes its users' envelopes until its input ends, and notes the results.

`python producer.py SETTINGS`; see `Settings`. It only has the daemon's address. It repeats unanswered envelopes with
the same ids, and exits with a traceback on a response that it must not get.
"""

import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

sys.path.append(str(Path(__file__).parent.parent))  # where pytest finds it too

import grpc
import msgspec

from intercomd.v1.ingest_pb2 import (
    PublishRequest,
    PublishStreamRequest,
    PublishStreamResponse,
    SpoolStatus,
)
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from kill_harness.batches import DUPLICATE, Attempt, Batch, Line
from kill_harness.plan import ACCEPTED, SKIPPED, User

AHEAD_MAX = 6
"""Messages of a stream that wait for their answers."""
PAUSE_SECONDS = 0.1
"""Before a refused batch comes again. Senders should wait as long as RetryInfo says; these do not."""
CALL_SECONDS = 60.0
_CHANNEL = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    # Where the address names several daemons, each call goes to the next one that is there.
    ("grpc.service_config", '{"loadBalancingConfig":[{"round_robin":{}}]}'),
)
_UNKNOWN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}


class Settings(msgspec.Struct):
    """The arguments of a producer."""

    address: str
    notes: str
    """The file that it appends a line to for each attempt."""
    streams: bool
    """Streams, or requests one after another."""
    lines: list[list[int]]
    """The users of each of its lines: what is one after another; lines are side by side."""
    era: int
    seed: int
    waiting_max: int
    """Envelopes that may wait in the spool before it goes slower."""
    agent: bool = False
    """Whether the daemon is an agent, which skips nothing by itself."""
    call_seconds: float = CALL_SECONDS
    """How long an answer is waited for."""
    rest_seconds_max: float = 0.5
    """The longest rest after an answer, where 500 envelopes more than that wait."""


class Producer:
    """What its lines share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.over = Event()
        channel = grpc.insecure_channel(settings.address, options=_CHANNEL)
        self.stub: Any = IngestServiceStub(channel)
        self._notes = Path(settings.notes)
        self._lock = Lock()

    def note(self, *attempts: Attempt) -> None:
        """Appends to the notes, before anything else is done."""
        with self._lock, self._notes.open("ab") as notes:
            notes.write(b"".join(msgspec.json.encode(attempt) + b"\n" for attempt in attempts))

    def rest(self, spool: SpoolStatus) -> None:
        """Waits a little where the daemon has more than it should have to deliver when the run is over."""
        excess = spool.envelopes - self.settings.waiting_max
        if excess > 0:
            self.over.wait(self.settings.rest_seconds_max * min(1.0, excess / 500))

    def run(self) -> None:
        """Until it is over and everything is taken."""
        line_of = _streamed if self.settings.streams else _requested
        users = [[User(self.settings.era, number) for number in line] for line in self.settings.lines]
        with ThreadPoolExecutor(len(users)) as pool:
            lines = [
                pool.submit(line_of, self, Line(some, self.settings.seed + at, agent=self.settings.agent))
                for at, some in enumerate(users)
            ]
            done, _ = wait(lines, return_when=FIRST_EXCEPTION)
            self.over.set()
            for line in done:
                line.result()


def _refused(error: grpc.RpcError) -> bool:
    """Whether the daemon itself said that nothing was taken; otherwise what was sent is unknown.

    Raises:
        grpc.RpcError: neither may be.
    """
    if error.code() not in _UNKNOWN:
        raise error
    trailers = dict(error.trailing_metadata() or ())
    return "grpc-retry-pushback-ms" in trailers


def _requested(producer: Producer, line: Line) -> None:
    """One request after another."""
    while not producer.over.is_set():
        batch = line.batch()
        if line.random.random() < 0.05:
            _validated(producer, batch)
        _until_taken(producer, batch)
        if line.random.random() < 0.05:
            _again(producer, batch)


def _until_taken(producer: Producer, batch: Batch) -> None:
    request = PublishRequest(envelopes=batch.envelopes)
    while True:
        batch.sent = time.monotonic()
        try:
            answer = producer.stub.Publish(request, wait_for_ready=True, timeout=producer.settings.call_seconds)
        except grpc.RpcError as error:
            refused = _refused(error)
            producer.note(batch.failed(refused=refused))
            if refused:
                producer.over.wait(PAUSE_SECONDS)
            continue
        producer.note(batch.check(answer.results))
        producer.rest(answer.spool)
        return


def _validated(producer: Producer, batch: Batch) -> None:
    """Asked about and not sent: must leave nothing behind, or `check` finds it known."""
    request = PublishRequest(envelopes=batch.envelopes, validate_only=True)
    try:
        answer = producer.stub.Publish(request, wait_for_ready=True, timeout=producer.settings.call_seconds)
    except grpc.RpcError as error:
        _refused(error)
        return
    given = [result.disposition for result in answer.results]
    if producer.settings.agent:  # Its gateway validates, unless it is away.
        given = [ACCEPTED if each == SKIPPED else each for each in given]
    assert given == batch.expected, answer


def _again(producer: Producer, batch: Batch) -> None:
    """Sent again without need: everything that was taken is known, whatever happened meanwhile."""
    request = PublishRequest(envelopes=batch.envelopes)
    try:
        answer = producer.stub.Publish(request, wait_for_ready=True, timeout=producer.settings.call_seconds)
    except grpc.RpcError as error:
        _refused(error)
        return
    expected = [DUPLICATE if first == ACCEPTED else first for first in batch.expected]
    assert [result.disposition for result in answer.results] == expected, answer
    attempt = Attempt([], batch.sent, time.monotonic(), "answered", repeated=expected.count(DUPLICATE))
    producer.note(attempt)


def _streamed(producer: Producer, line: Line) -> None:
    """Stream after stream; what one left unanswered is what the next one begins with."""
    waiting: deque[Batch] = deque()
    while waiting or not producer.over.is_set():
        messages: SimpleQueue[PublishStreamRequest | None] = SimpleQueue()
        answers = producer.stub.PublishStream(iter(messages.get, None), wait_for_ready=True)
        try:
            _converse(producer, line, waiting, messages, answers)
        except grpc.RpcError as error:
            refused = _refused(error)
            producer.note(*(batch.failed(refused=refused) for batch in waiting))
            if refused:
                producer.over.wait(PAUSE_SECONDS)
        finally:
            messages.put(None)


def _converse(
    producer: Producer,
    line: Line,
    waiting: deque[Batch],
    messages: "SimpleQueue[PublishStreamRequest | None]",
    answers: Iterator[PublishStreamResponse],
) -> None:
    sequence = 0
    fresh = False

    def send(batch: Batch) -> None:
        nonlocal sequence
        sequence += 1
        batch.sent = time.monotonic()
        messages.put(PublishStreamRequest(sequence=sequence, envelopes=batch.envelopes))

    for batch in waiting:
        send(batch)
    for expected in count(1):
        while len(waiting) < AHEAD_MAX and not producer.over.is_set():
            waiting.append(line.batch())
            send(waiting[-1])
        if not waiting:
            messages.put(None)
        answer = next(answers, None)
        if answer is None:
            assert not waiting, "the stream ended well, and left messages without an answer"
            return
        assert answer.sequence == expected
        attempt = waiting[0].check(answer.results)
        assert not (fresh and attempt.known), f"a later message was taken without an earlier one: {answer}"
        fresh = fresh or bool(attempt.accepted)
        producer.note(attempt)
        waiting.popleft()
        producer.rest(answer.spool)


def main() -> None:
    """Runs until the standard input ends."""
    producer = Producer(msgspec.json.decode(sys.argv[1], type=Settings))

    def listen() -> None:
        sys.stdin.buffer.read()
        producer.over.set()

    Thread(target=listen, daemon=True).start()
    producer.run()


if __name__ == "__main__":
    main()
