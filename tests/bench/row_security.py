"""What TLS and a token cost: the daemon's processor time for each single envelope, and its memory at rest.

Two daemons run side by side, one plain, one with TLS and callers; the same senders call both in turns. A third one has
TLS alone, which shows what of the difference is encryption.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import trustme
from children import NOWHERE, Daemon, Script
from rounds import Line, alternate, written

from intercomd_daemon.rpc.callers import hash_of

ROUNDS = 7
SINGLES, CALLERS = 4_000, 64
MORE_MAX = 0.15
MEMORY_MAX = 70.0
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
