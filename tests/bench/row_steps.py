"""Accepting step by step in this process, without gRPC: what each costs while it has the caches to itself."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from children import NOWHERE, TOKEN
from envelopes import envelope_id, wide_batches
from msgspec.structs import replace
from rounds import Line, written

from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon import config
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decode import decode_publish
from intercomd_daemon.ingest.responses import publish_response
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.spool.quota import Quota
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import Incoming, Usage
from intercomd_daemon.spool.sqlite.admission import Admission
from intercomd_daemon.spool.sqlite.job_queue import Job
from intercomd_daemon.spool.sqlite.log import Append
from intercomd_daemon.spool.sqlite.settings import SqliteSettings
from intercomd_daemon.spool.sqlite.store import Store

REQUESTS, SIZE = 200, 10
PER_COMMIT = 16
REPEATS = 15
_ENVELOPES = REQUESTS * SIZE
_USAGE = Usage({}, 0, 1, "", "")
_SETTINGS = f'[connections.default]\napp_id = "sandbox"\naccess_token = "{TOKEN}"\nbase_url = "{NOWHERE}"\n'


class _Spool:
    """Keeps the rows that are appended, in place of a spool."""

    def __init__(self) -> None:
        self.rows: list[Incoming] = []

    async def append(self, rows: Sequence[Incoming], _forwarded: object = None) -> list[int]:
        self.rows += rows
        return [1] * len(rows)

    def insertion(self) -> None:
        """Nothing is inserted."""


class _Silent:
    def on_decisions(self, *_: object) -> None:
        pass


def accept_steps(folder: Path) -> Iterator[Line]:
    """Processor time for each envelope of requests of ten."""
    file = folder / "steps.toml"
    file.write_text(_SETTINGS)
    settings = config.load(str(file), {}).settings
    rules, limits = settings.connections, settings.ingest
    now = time.time()
    encoded = [PublishRequest(envelopes=batch).SerializeToString() for batch in wide_batches(0, REQUESTS, SIZE)]
    decoded = [list(decode_publish(data, limits, str).envelopes) for data in encoded]
    decisions = [[decide(envelope, rules, now) for envelope in envelopes] for envelopes in decoded]
    spool = _Spool()

    async def accept() -> None:
        spool.rows = []
        acceptor = Acceptor(rules, spool, TimestampAllocator(), _Silent(), time.time, decide)
        for data in encoded:
            request = decode_publish(data, limits, str)
            publish_response(await acceptor.accept(request.envelopes), _USAGE, now).SerializeToString()

    steps: dict[str, Callable[[], object]] = {
        "parse": lambda: [PublishRequest.FromString(data) for data in encoded],
        "decode": lambda: [list(decode_publish(data, limits, str).envelopes) for data in encoded],
        "decide": lambda: [decide(envelope, rules, now) for envelopes in decoded for envelope in envelopes],
        "encode the row": lambda: [pack(each.accepted) for some in decisions for each in some if each.accepted],
        "respond": lambda: [publish_response(some, _USAGE, now).SerializeToString() for some in decisions],
        "all of the event loop's": lambda: asyncio.run(accept()),
    }
    for name, run in steps.items():
        yield _line(name, min(_seconds(run) for _ in range(REPEATS)))
    yield _line(f"commit, {PER_COMMIT} requests together", _commit_seconds(folder / "steps.db", spool.rows))


def _commit_seconds(file: Path, rows: Sequence[Incoming]) -> float:
    """Returns the least processor time of committing the rows with new ids."""
    settings = SqliteSettings(str(file), bytes_max=8 << 30, free_bytes_min=1 << 20)
    admission = Admission(
        settings.path, Quota(settings.bytes_max, ("default",)), settings.free_bytes_min, lambda _: None
    )
    store = Store(settings, admission, time.time, time.monotonic)
    numbers = count()
    taken: list[float] = []
    for _ in range(REPEATS):
        new = [replace(row, envelope_id=envelope_id(next(numbers))) for row in rows]
        jobs = [Job(Append(new[at : at + SIZE], admission.admit), None, 1) for at in range(0, len(new), SIZE)]
        commits = [jobs[at : at + PER_COMMIT] for at in range(0, len(jobs), PER_COMMIT)]
        taken.append(_seconds(lambda commits=commits: [store.perform(each) for each in commits]))
    store.close()
    return min(taken)


def _seconds(run: Callable[[], object]) -> float:
    begin = time.thread_time()
    run()
    return time.thread_time() - begin


def _line(step: str, seconds: float) -> Line:
    return Line(
        f"processor time per envelope, alone: {step}", f"{written(seconds / _ENVELOPES * 1e6)} µs", "", "", "", None
    )
