"""What guards the listeners: TLS, callers and their tokens, and the files of both, which are watched while it runs."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from intercomd_daemon.config import Settings
from intercomd_daemon.ingest.service import METHODS as INGEST_METHODS
from intercomd_daemon.operations.service import METHODS as OPERATIONS_METHODS
from intercomd_daemon.operations.settings import OperationsSettings
from intercomd_daemon.reasons import OTHER
from intercomd_daemon.rpc.authentication import Authenticator, Guard, MethodGate
from intercomd_daemon.rpc.callers import ANYONE, CERTIFICATE_HOLDER, Caller, Callers
from intercomd_daemon.rpc.settings import TlsSettings
from intercomd_daemon.rpc.tls import ServerTls
from intercomd_daemon.rpc.token_file import TokenFiles
from intercomd_daemon.telemetry.logs import Logger
from intercomd_daemon.unix_socket import SCHEME
from intercomd_daemon.watched_file import FileUnusable

WATCH_SECONDS = 1.0
"""Interval at which files are checked for changes: a renewed certificate is in use within this time."""
CountRequest = Callable[[str, str, str], None]
"""Counts a call, by method, status code and caller."""


class ListenerSecurity(NamedTuple):
    """What guards one kind of listener."""

    tls: ServerTls | None
    """TLS of its TCP addresses; None: plain text."""
    authenticator: Authenticator
    guard: Guard
    count_request: CountRequest

    def gate(self) -> MethodGate:
        """Returns a new gate for the methods of a server."""

        def on_refused(method: str) -> None:
            name = method.rpartition("/")[2]
            known = name if name in INGEST_METHODS or name in OPERATIONS_METHODS else OTHER
            self.count_request(known, "UNAUTHENTICATED", "")

        certificates = self.tls is not None and self.tls.verifies_clients
        return MethodGate(self.authenticator, on_refused, certificates=certificates)


class Security:
    """The security of all listeners. Call `load` before they open, then run `watch`."""

    def __init__(self, settings: Settings, logger: Logger, count: CountRequest) -> None:
        """`count` counts each call."""
        self._logger = logger
        self._callers = settings.callers
        self._token_files = TokenFiles(settings.callers)
        self._authenticator = Authenticator(Callers(settings.callers, self._token_files.hashes))
        self._tls = _tls_of(settings)
        self.ingest = self._new_listener_security("ingest.tls", count)
        self.operations = self._new_listener_security("operations.tls", count)
        self.http_guard = Guard(ANYONE, self._authenticator)
        """The guard of the HTTP operations listener, whose address is another one."""
        self._admit_operators(settings.operations)

    def _new_listener_security(self, section: str, count: CountRequest) -> ListenerSecurity:
        guard = Guard(ANYONE, self._authenticator, count)
        return ListenerSecurity(self._tls.get(section), self._authenticator, guard, count)

    def _admit_operators(self, operations: OperationsSettings) -> None:
        """Sets who calls the operations listeners while no caller is configured."""
        for guard, address in (
            (self.operations.guard, operations.grpc_listen),
            (self.http_guard, operations.listen),
        ):
            guard.anyone = anyone_of(address, operations.tls, insecure=operations.insecure)

    def load(self) -> None:
        """Reads all files.

        Raises:
            FileUnusable: a file is missing or invalid.
        """
        _load(self._tls)
        self._token_files.load()
        self._replace_callers()

    def reconfigure(self, settings: Settings) -> Callable[[], None]:
        """Prepares other callers and TLS files, and returns a function that uses them from then on.

        Raises:
            FileUnusable: a file is missing or invalid; nothing has changed.
        """
        files = TokenFiles(settings.callers)
        files.load()
        replaced = _tls_of(settings)
        _load(replaced)

        def apply() -> None:
            for section, tls in replaced.items():
                self._tls[section].adopt(tls)
            self._admit_operators(settings.operations)
            self._callers, self._token_files = settings.callers, files
            self._replace_callers()

        return apply

    def _replace_callers(self) -> None:
        self._authenticator.replace(Callers(self._callers, self._token_files.hashes))

    async def watch(self) -> None:
        """Reads files again when they change; runs until it is cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for section, tls in self._tls.items():
                problem = tls.problem
                if tls.refresh():
                    self._logger.info("tls_reloaded", section=section)
                if tls.problem and tls.problem != problem:
                    self._logger.warning("tls_unusable", section=section, error=tls.problem)
            files = self._token_files
            problem = files.problem
            if files.refresh():
                self._replace_callers()
                self._logger.info("tokens_reloaded")
            if files.problem and files.problem != problem:
                self._logger.warning("tokens_unusable", error=files.problem)


def anyone_of(address: str, tls: TlsSettings, *, insecure: bool) -> Caller:
    """Returns the caller of calls to an operations address while no caller is configured.

    "With no callers: loopback and unix need no credential; a verified client certificate may publish to all, without
    operations." `insecure` gives full access.
    """
    certificate_needed = tls.client_ca_file and not address.startswith(SCHEME)
    return CERTIFICATE_HOLDER if certificate_needed and not insecure else ANYONE


def _load(tls: Mapping[str, ServerTls]) -> None:
    """Reads the files of each section.

    Raises:
        FileUnusable: with the section.
    """
    for section, files in tls.items():
        try:
            files.load()
        except FileUnusable as error:
            raise FileUnusable(f"{section}: {error}") from error


def _tls_of(settings: Settings) -> dict[str, ServerTls]:
    """Returns TLS by section, where it is on."""
    sections = {"ingest.tls": settings.ingest.tls, "operations.tls": settings.operations.tls}
    return {name: ServerTls(tls) for name, tls in sections.items() if tls.on}
