"""OperationsService: status, outcomes, dead letters and connections."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from grpc.aio import Server, ServicerContext

from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.deliver.waiting import explain_waiting
from intercomd_daemon.errors import (
    ConnectionNotFound,
    CountMismatch,
    EnvelopeNotWaiting,
    RequestRefused,
    SettingsInvalid,
)
from intercomd_daemon.operations import responses
from intercomd_daemon.operations.daemon_control import DaemonControl, DaemonStatus, Subscribe
from intercomd_daemon.operations.filters import dead_letter_filter, envelope_id_of, outcome_filter, trail_filter
from intercomd_daemon.operations.fleet_message import fleet_message
from intercomd_daemon.operations.listing import Bounds, fill_page
from intercomd_daemon.operations.page import page_size_of, place_of, places_of, token_of
from intercomd_daemon.operations.permissions import Permissions
from intercomd_daemon.operations.trail import (
    SOURCES,
    TrailSource,
    fill_trail,
    read_outcomes,
    read_refusals,
    read_waiting,
)
from intercomd_daemon.operations.watch import Watches
from intercomd_daemon.rpc.authentication import Guard, MethodGate
from intercomd_daemon.rpc.handlers import Interceptor, ServiceHandlers
from intercomd_daemon.rpc.spool_status import spool_status
from intercomd_daemon.spool.base import Archive
from intercomd_daemon.spool.rows import DeadLetterFilter, LogUsage, OutcomeFilter, WaitingRow

_SERVICE = messages.DESCRIPTOR.services_by_name["OperationsService"]
SERVICE: Final = _SERVICE.full_name
METHODS: Final = frozenset(_SERVICE.methods_by_name)
DEFAULT_CONNECTION: Final = "default"
_OUTCOMES_CHUNK_MAX: Final = 64
"""Outcomes in one read: usually 1 KB each, rarely 100 KB."""
_DEAD_LETTERS_CHUNK_MAX: Final = 16
"""Dead letters in one read: up to 1 MB each."""


class OperationsService:
    """The methods of OperationsService. Register it with `add_to`; close it before the archive is closed."""

    def __init__(
        self,
        status: DaemonStatus,
        control: DaemonControl,
        subscribe: Subscribe,
        *,
        version: str,
        start_time: float,
        clock: Callable[[], float],
        interceptors: Sequence[Interceptor] = (),
        guard: Guard | None = None,
    ) -> None:
        """`start_time` and the values of `clock` are Unix seconds; `guard` knows the callers of the listener."""
        self._status = status
        self._control = control
        self._guard = guard or Guard()
        self._permissions = Permissions(self._guard)
        self._watches = Watches(subscribe)
        self._version = version
        self._start_time = start_time
        self._clock = clock
        self._interceptors = (self._permissions.intercept, *interceptors)

    def add_to(self, server: Server | MethodGate) -> None:
        """Registers the service; call it before the server starts."""
        handlers = ServiceHandlers(SERVICE, self._interceptors, self._guard.on_call)
        handlers.unary("GetStatus", self.get_status, messages.GetStatusRequest.FromString)
        handlers.server_stream("WatchOutcomes", self.watch_outcomes, messages.WatchOutcomesRequest.FromString)
        handlers.unary("ListOutcomes", self.list_outcomes, messages.ListOutcomesRequest.FromString)
        handlers.unary("GetWaitingEnvelope", self.get_waiting_envelope, messages.GetWaitingEnvelopeRequest.FromString)
        handlers.unary("ListTrail", self.list_trail, messages.ListTrailRequest.FromString)
        handlers.unary("GiveUpEnvelope", self.give_up_envelope, messages.GiveUpEnvelopeRequest.FromString)
        handlers.unary("ListDeadLetters", self.list_dead_letters, messages.ListDeadLettersRequest.FromString)
        handlers.unary("ReplayDeadLetters", self.replay_dead_letters, messages.ReplayDeadLettersRequest.FromString)
        handlers.unary("DiscardDeadLetters", self.discard_dead_letters, messages.DiscardDeadLettersRequest.FromString)
        handlers.unary("PauseConnection", self.pause_connection, messages.PauseConnectionRequest.FromString)
        handlers.unary("ResumeConnection", self.resume_connection, messages.ResumeConnectionRequest.FromString)
        handlers.unary("Reload", self.reload, messages.ReloadRequest.FromString)
        handlers.unary("Drain", self.drain, messages.DrainRequest.FromString)
        handlers.unary("RetryConnection", self.retry_connection, messages.RetryConnectionRequest.FromString)
        handlers.add_to(server)

    def close(self) -> None:
        """Ends each watch after sending the outcomes so far; other calls work as long as the archive is open."""
        self._watches.close()

    async def get_status(self, _request: messages.GetStatusRequest) -> messages.GetStatusResponse:
        """Returns the state of the daemon, its spool and its connections, also before the spool is open."""
        usage = self._status.usage()
        now = self._clock()
        configured = {status.name: status for status in self._status.statuses()}
        connections = [
            responses.connection_message(status, usage.connections.get(name, LogUsage()), now)
            for name, status in configured.items()
        ]
        connections += [
            responses.unconfigured_message(name, left, now)
            for name, left in usage.connections.items()
            if name not in configured and (left.normal or left.bulk or left.dead_letters)
        ]
        fleet = self._status.fleet()
        return messages.GetStatusResponse(
            fleet=fleet_message(fleet, now) if fleet else None,
            version=self._version,
            state=messages.DaemonState.ValueType(self._status.state()),
            start_time=responses.timestamp(self._start_time),
            spool=spool_status(usage, now),
            connections=sorted(connections, key=lambda connection: connection.name),
        )

    async def watch_outcomes(self, request: messages.WatchOutcomesRequest, context: ServicerContext[Any, Any]) -> None:
        """Sends outcomes as they are committed."""
        after = request.after_sequence if request.HasField("after_sequence") else None
        wanted = outcome_filter(request.filter)

        def limit() -> OutcomeFilter:
            self._permissions.check("WatchOutcomes")
            return self._permissions.limit(wanted)

        await self._watches.follow(self._status.archive(), limit, after, context, self._guard)

    async def list_outcomes(self, request: messages.ListOutcomesRequest) -> messages.ListOutcomesResponse:
        """Lists outcomes of the journal, newest first."""
        wanted = self._permissions.limit(outcome_filter(request.filter))
        bounds = Bounds(page_size_of(request.page_size), _OUTCOMES_CHUNK_MAX)
        place = place_of(wanted, request.page_token)
        read = partial(self._status.archive().outcomes, wanted)
        page, place = await fill_page(read, responses.outcome_message, lambda outcome: outcome.sequence, place, bounds)
        return messages.ListOutcomesResponse(outcomes=page, next_page_token=token_of(wanted, place))

    async def get_waiting_envelope(
        self, request: messages.GetWaitingEnvelopeRequest
    ) -> messages.GetWaitingEnvelopeResponse:
        """Returns an accepted envelope that has no outcome yet."""
        name = self._configured(request.connection)
        waiting = await self._status.archive().waiting(name, envelope_id_of(request.envelope_id))
        return responses.waiting_message(waiting)

    async def list_trail(self, request: messages.ListTrailRequest) -> messages.ListTrailResponse:
        """Lists everything known of a user or an envelope, newest first."""
        wanted = self._permissions.limit(trail_filter(request))
        size = page_size_of(request.page_size)
        places = places_of(wanted, request.page_token, SOURCES)
        archive = self._status.archive()
        keys = await archive.find_waiting(wanted, places[0], size + 1)
        statuses = {status.name: status for status in self._status.statuses()}

        def waiting_entry(found: WaitingRow) -> messages.TrailEntry:
            lane = self._status.lane_state(found.connection, found.row.lane, found.row.key)
            waiting = explain_waiting(found, statuses.get(found.connection), lane, self._clock())
            return responses.waiting_entry(found, waiting)

        reads = (
            read_waiting(archive, keys, waiting_entry),
            read_outcomes(archive, wanted, responses.kept_outcome_entry),
            read_refusals(archive, wanted, responses.refusal_entry),
        )
        sources = [TrailSource(read, place) for read, place in zip(reads, places, strict=True)]
        page, places = await fill_trail(sources, size)
        return messages.ListTrailResponse(entries=page, next_page_token=token_of(wanted, *places))

    async def list_dead_letters(self, request: messages.ListDeadLettersRequest) -> messages.ListDeadLettersResponse:
        """Lists dead letters, oldest first by default, with the number that match by reason."""
        wanted = self._permissions.limit(dead_letter_filter(request.filter))
        bounds = Bounds(page_size_of(request.page_size), _DEAD_LETTERS_CHUNK_MAX)
        scope = wanted, "newest first" if request.newest_first else "oldest first"
        place = place_of(scope, request.page_token)
        archive = self._status.archive()
        counts = await archive.count_dead_letters_by_reason(wanted)
        read = partial(archive.newest_dead_letters if request.newest_first else archive.dead_letters, wanted)
        page, place = await fill_page(
            read, responses.dead_letter_message, lambda letter: letter.dead_letter_id, place, bounds
        )
        return messages.ListDeadLettersResponse(
            dead_letters=page,
            next_page_token=token_of(scope, place),
            total_count=sum(counts.values()),
            counts=[messages.DeadLetterCount(reason=reason, count=count) for reason, count in counts.items()],
        )

    async def replay_dead_letters(
        self, request: messages.ReplayDeadLettersRequest
    ) -> messages.ReplayDeadLettersResponse:
        """Appends dead letters to their logs again."""
        wanted = self._permissions.limit(dead_letter_filter(request.filter))
        expected = _expected(request.expected_count)
        archive = self._status.archive()
        count = await _counted(archive, wanted, expected, await archive.replay(wanted, expected))
        return messages.ReplayDeadLettersResponse(count=count)

    async def discard_dead_letters(
        self, request: messages.DiscardDeadLettersRequest
    ) -> messages.DiscardDeadLettersResponse:
        """Discards dead letters."""
        wanted = self._permissions.limit(dead_letter_filter(request.filter))
        expected = _expected(request.expected_count)
        archive = self._status.archive()
        count = await _counted(archive, wanted, expected, await archive.discard(wanted, expected))
        return messages.DiscardDeadLettersResponse(count=count)

    async def give_up_envelope(self, request: messages.GiveUpEnvelopeRequest) -> messages.GiveUpEnvelopeResponse:
        """Ends a waiting envelope as a dead letter."""
        name = self._configured(request.connection)
        envelope_id = envelope_id_of(request.envelope_id)
        outcome = await self._control.give_up(name, envelope_id)
        if outcome is None:
            raise EnvelopeNotWaiting(name, envelope_id)
        return messages.GiveUpEnvelopeResponse(
            outcome=responses.outcome_message(outcome), dead_letter_id=str(outcome.sequence)
        )

    async def pause_connection(self, request: messages.PauseConnectionRequest) -> messages.PauseConnectionResponse:
        """Pauses a connection."""
        name = self._configured(request.connection)
        await self._control.pause(name, paused=True)
        return messages.PauseConnectionResponse(connection=self._connection(name))

    async def resume_connection(self, request: messages.ResumeConnectionRequest) -> messages.ResumeConnectionResponse:
        """Resumes a connection."""
        name = self._configured(request.connection)
        await self._control.pause(name, paused=False)
        return messages.ResumeConnectionResponse(connection=self._connection(name))

    async def reload(self, _request: messages.ReloadRequest) -> messages.ReloadResponse:
        """Reads the settings again; errors are part of the response."""
        try:
            changed, restart, warnings = await self._control.reload()
        except SettingsInvalid as error:
            return messages.ReloadResponse(errors=error.problems)
        return messages.ReloadResponse(changed=changed, needs_restart=restart, warnings=warnings)

    async def drain(self, request: messages.DrainRequest) -> messages.DrainResponse:
        """Refuses new calls of senders."""
        await self._control.drain(wait=request.wait)
        return messages.DrainResponse()

    async def retry_connection(self, request: messages.RetryConnectionRequest) -> messages.RetryConnectionResponse:
        """Probes a suspended or down connection now."""
        name = self._configured(request.connection)
        await self._control.probe_now(name)
        return messages.RetryConnectionResponse(connection=self._connection(name))

    def _configured(self, asked: str) -> str:
        name = asked or DEFAULT_CONNECTION
        self._permissions.caller.check_connection(name)  # First, so that a refusal does not tell which ones exist.
        if name not in {status.name for status in self._status.statuses()}:
            raise ConnectionNotFound(name)
        return name

    def _connection(self, name: str) -> messages.ConnectionStatus:
        usage = self._status.usage().connections.get(name, LogUsage())
        status = next(status for status in self._status.statuses() if status.name == name)
        return responses.connection_message(status, usage, self._clock())


def _expected(count: int) -> int:
    if count < 0:
        raise RequestRefused(
            "expected_count", f"expected_count {count} is negative: pass the total_count of ListDeadLetters"
        )
    return count


async def _counted(archive: Archive, wanted: DeadLetterFilter, expected: int, count: int) -> int:
    """Returns the count of a replay or discard; -1 means that `expected` did not match.

    Raises:
        CountMismatch: with the number of dead letters that match now.
    """
    if count < 0:
        raise CountMismatch(expected, await archive.count_dead_letters(wanted))
    return count
