"""What TLS and a token cost: the daemon's processor time for each single envelope, and its memory at rest.

Two daemons run side by side, one plain, one with TLS and callers; the same senders call both in turns. A third one has
TLS alone, which shows what of the difference is encryption.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import quantiles
from threading import Thread

import trustme
from children import NOWHERE, Daemon, Script
from rounds import Line, alternate, written

from intercomd_daemon.rpc.callers import hash_of

ROUNDS = 7
SINGLES, CALLERS = 4_000, 64
MORE_MAX = 0.15
MEMORY_MAX = 70.0
PER_SECOND, REFUSED, REFUSED_SECONDS = 100.0, 500.0, 3.0
BEATS, TURNS = 900, 5
"""Requests in a turn, so that nine of them are slower than its p99, and turns."""
_FIRST = count(step=1_000_000)


def security(folder: Path) -> Iterator[Line]:
    """Processor time for each single envelope with TLS and a token, beside the plain daemon's."""
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1", "localhost")
    (folder / "ca.pem").write_bytes(ca.cert_pem.bytes())
    (folder / "certificate.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    (folder / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    token = "icd_" + secrets.token_urlsafe(32)
    tls = f'certificate_file = "{folder}/certificate.pem"\nkey_file = "{folder}/key.pem"\n'
    both_tls = f"[ingest.tls]\n{tls}[operations.tls]\n{tls}"
    callers = f'[callers.bench]\ntoken_sha256 = ["{hash_of(token)}"]\n'
    with ExitStack() as stack:

        def daemon(name: str, settings: str, *arguments: object) -> tuple[Daemon, Script]:
            place = folder / name
            place.mkdir()
            started = stack.enter_context(Daemon(place, NOWHERE, settings))
            return started, stack.enter_context(Script("sender.py", started.ingest, *arguments))

        plain = daemon("plain", "")
        encrypted = daemon("tls", both_tls, folder / "ca.pem")
        secured = daemon("secured", both_tls + callers, folder / "ca.pem", token)
        at_rest = secured[0].resident_mebibytes
        ours, with_tls, least = alternate(ROUNDS, _cost(*secured), _cost(*encrypted), _cost(*plain))
    for what, figure, limit in (
        ("processor time, single envelopes, TLS and a token", ours, MORE_MAX),
        ("processor time, single envelopes, TLS alone", with_tls, MORE_MAX),
    ):
        more = figure.median / least.median - 1
        yield Line(what, f"{figure} µs", f"{least} µs", f"{more:+.0%}", f"<= +{limit:.0%}", more <= limit)
    what = "memory at rest, TLS and callers"
    yield Line(what, f"{written(at_rest)} MiB", "", "", f"<= {MEMORY_MAX:g} MiB", at_rest <= MEMORY_MAX)


def offender(folder: Path) -> Iterator[Line]:
    """Latency of a caller at 1,000 envelopes per second in tens, beside 500 refused calls a second.

    The calls have a wrong token, or a caller's token above its quota. They take processor time wherever they are
    refused, so the caller's latency is compared with that beside the same calls to a bare gRPC server in a process of
    its own, which refuses each one at once. What remains is what it costs to refuse them in the daemon's process.
    """
    token, limited, wrong = (secrets.token_urlsafe(32) for _ in range(3))
    settings = (
        f'[callers.bench]\ntoken_sha256 = ["{hash_of(token)}"]\n'
        f'[callers.limited]\ntoken_sha256 = ["{hash_of(limited)}"]\nenvelopes_per_second = 1\n'
    )
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(folder, NOWHERE, settings))
        bare, control = _bare_refusal(stack)
        bare_unary, control_unary = _bare_refusal(stack, "unary")
        caller = stack.enter_context(Script("sender.py", daemon.ingest, "", token))
        unknown = stack.enter_context(Script("offender.py", daemon.ingest, wrong))
        _use_up_quota(daemon, limited)
        above_quota = stack.enter_context(Script("offender.py", daemon.ingest, limited))
        elsewhere = stack.enter_context(Script("offender.py", control, wrong))
        elsewhere_unary = stack.enter_context(Script("offender.py", control_unary, wrong))

        def beside(offending: Script) -> Callable[[], float]:
            def run() -> float:
                refused = Thread(target=_offend, args=(offending, BEATS / PER_SECOND))
                refused.start()
                try:
                    return _p99(caller)
                finally:
                    refused.join()

            return run

        costs = alternate(
            ROUNDS,
            _cost_of_refusal(daemon, unknown),
            _cost_of_refusal(daemon, above_quota),
            _cost_of_refusal(bare, elsewhere),
            _cost_of_refusal(bare_unary, elsewhere_unary),
        )
        latencies = alternate(TURNS, beside(unknown), beside(above_quota), beside(elsewhere), lambda: _p99(caller))
    names = ("with a wrong token", "above the caller's quota")
    for name, ours, limit in zip(names, costs[:2], costs[2:], strict=True):
        what = f"processor time per call {name}"
        yield Line(what, f"{ours} µs", f"{limit} µs", written(ours.median / limit.median), "", None)
    *refusing, least, alone = latencies
    for name, ours in zip(names, refusing, strict=True):
        more = ours.median / least.median - 1
        what = f"acknowledgement, p99, beside 500 calls/s {name}"
        yield Line(what, f"{ours} ms", f"{least} ms, refused elsewhere", f"{more:+.0%}", "<= +10%", more <= 0.1)
    more = least.median / alone.median - 1
    what = "acknowledgement, p99, beside 500 calls/s that are refused elsewhere"
    yield Line(what, f"{least} ms", f"{alone} ms alone", f"{more:+.0%}", "", None)


def _use_up_quota(daemon: Daemon, token: str) -> None:
    """Publishes a request of 500 envelopes, which a quota of one a second takes more than eight minutes to allow."""
    with Script("sender.py", daemon.ingest, "", token) as sender:
        sender.ask(do="prepare", first=next(_FIRST), count=1, size=500)
        sender.ask(do="call", callers=1)


def _bare_refusal(stack: ExitStack, *arguments: str) -> tuple[Script, str]:
    """Returns a bare server that refuses every call, and its address."""
    bare = stack.enter_context(Script("bare_refusal.py", *arguments))
    assert bare.process.stdout
    return bare, f"127.0.0.1:{int(bare.process.stdout.readline())}"


def _offend(offending: Script, seconds: float) -> None:
    count = int(seconds * REFUSED)
    answered = offending.ask(do="offend", per_second=REFUSED, count=count)["answered"]
    if answered != count:
        raise RuntimeError(f"{answered} of {count} calls were answered")


def _cost_of_refusal(server: Daemon | Script, offending: Script) -> Callable[[], float]:
    """Returns a run of refused calls, which returns the microseconds of the server's processor for each."""

    def run() -> float:
        before = server.cpu_seconds
        _offend(offending, REFUSED_SECONDS)
        return (server.cpu_seconds - before) / (REFUSED_SECONDS * REFUSED) * 1_000_000

    return run


def _p99(caller: Script) -> float:
    caller.ask(do="prepare", first=next(_FIRST), count=BEATS, size=10)
    return quantiles(caller.ask(do="beat", per_second=PER_SECOND)["milliseconds"], n=100)[98]


def _cost(daemon: Daemon, sender: Script) -> Callable[[], float]:
    """Returns a run of requests, which returns the microseconds of the daemon's processor for each envelope."""

    def run() -> float:
        sender.ask(do="prepare", first=next(_FIRST), count=SINGLES, size=1)
        before = daemon.cpu_seconds
        taken = sender.ask(do="call", callers=CALLERS)["accepted"]
        if taken != SINGLES:
            raise RuntimeError(f"{taken} of {SINGLES} envelopes were accepted")
        return (daemon.cpu_seconds - before) / SINGLES * 1_000_000

    return run
