"""Models of what several sessions do in the database at once: appends of one id, and a commit whose answer is lost.

A transaction is a list of steps; the sessions take turns in every possible order. The model keeps what READ COMMITTED
promises: a statement sees what was committed when it began, and a row lock is held until the commit.
"""

from collections.abc import Iterator
from typing import NamedTuple

from fleet.explorer import Step
from intercomd_daemon.fleet.in_doubt import Committed, DaemonRow, Sent, appended


class Session(NamedTuple):
    """A daemon that appends an envelope of the same id as the others."""

    step: int = 0
    saw: frozenset[str] = frozenset()
    position: int = 0


class Log(NamedTuple):
    """The committed rows, and who holds the connection's row lock."""

    sessions: tuple[Session, ...]
    rows: tuple[tuple[int, str], ...] = ()
    """(position, id), in the order of the commits."""
    holder: int = -1


LOCK_FIRST = ("lock", "read", "insert")
ONE_STATEMENT = ("read", "lock", "insert")
"""As one statement with a CTE: its snapshot is older than its lock."""


class AppendModel:
    """Two sessions append the same id; the steps are those of their transaction before the commit."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self.steps = steps
        self.initial = Log((Session(), Session()))

    def broken(self, log: Log) -> str:
        """The law that a state breaks."""
        if len({name for _, name in log.rows}) < len(log.rows):
            return "an id was appended twice"
        positions = [position for position, _ in log.rows]
        return "" if positions == sorted(set(positions)) else "a row became visible below another"

    def following(self, log: Log) -> Iterator[Step]:
        """Everything that may happen next."""
        for place, session in enumerate(log.sessions):
            if session.step == len(self.steps):
                fresh = "x" not in session.saw
                rows = (*log.rows, (session.position, "x")) if fresh else log.rows
                done = session._replace(step=session.step + 1)
                yield f"commit {place}", _turn(log._replace(rows=rows, holder=-1), place, done)
            elif session.step < len(self.steps):
                yield from self._step(log, place, session, self.steps[session.step])

    def _step(self, log: Log, place: int, session: Session, step: str) -> Iterator[Step]:
        after = session._replace(step=session.step + 1)
        if step == "read":
            names = frozenset(name for _, name in log.rows)
            yield f"read {place}", _turn(log, place, after._replace(saw=names))
        elif step == "lock" and log.holder == -1:
            # The counter's row, read again after waiting for its lock.
            position = max((position for position, _ in log.rows), default=0) + 1
            yield f"lock {place}", _turn(log._replace(holder=place), place, after._replace(position=position))
        elif step == "insert":
            yield f"insert {place}", _turn(log, place, after)


def _turn(log: Log, place: int, session: Session) -> Log:
    return log._replace(sessions=(*log.sessions[:place], session, *log.sessions[place + 1 :]))


class Exchange(NamedTuple):
    """A daemon that appends, and its sessions: one statement may be on its way in each."""

    row: DaemonRow = DaemonRow(session=1, append=0)
    committed: frozenset[int] = frozenset()
    session: int = 1
    sent: Sent | None = None
    """The append that the daemon waits for."""
    stray: tuple[Sent, ...] = ()
    """Statements that backends may still perform; the answers of broken sessions are lost."""
    refused: frozenset[int] = frozenset()
    """The appends whose callers got the response that nothing was accepted."""
    accepted: frozenset[int] = frozenset()
    number: int = 0


class InDoubtModel:
    """A daemon appends up to three times, and its session breaks up to twice."""

    def __init__(self, *, fenced: bool = True, bumps: bool = True) -> None:
        self.fenced = fenced
        self.bumps = bumps
        self.initial = Exchange()

    def broken(self, state: Exchange) -> str:
        """The law that a state breaks."""
        if state.refused & state.committed:
            return "an append was committed that its caller knows as refused"
        return "" if state.accepted <= state.committed else "an append was accepted and not committed"

    def following(self, state: Exchange) -> Iterator[Step]:
        """Everything that may happen next."""
        if state.sent is None and state.number < 3:
            sent = Sent(state.session, state.number + 1)
            yield "send", state._replace(sent=sent, stray=(*state.stray, sent), number=sent.append)
        for statement in state.stray:
            rest = tuple(each for each in state.stray if each != statement)
            if self.fenced and statement.session != state.row.session:
                yield "refuse", state._replace(stray=rest)
                continue
            row = state.row._replace(append=statement.append)
            done = state._replace(stray=rest, row=row, committed=state.committed | {statement.append})
            yield "perform", done
            if statement == state.sent:
                yield "answer", done._replace(sent=None, accepted=state.accepted | {statement.append})
        if state.session < 3:
            yield from self._reconnect(state)

    def _reconnect(self, state: Exchange) -> Iterator[Step]:
        row = state.row._replace(session=state.row.session + 1) if self.bumps else state.row
        after = state._replace(session=state.session + 1, row=row, sent=None)
        if state.sent is None:
            yield "reconnect", after
        elif appended(state.sent, row) is Committed.YES:
            yield "reconnect-committed", after._replace(accepted=state.accepted | {state.sent.append})
        else:
            yield "reconnect-refused", after._replace(refused=state.refused | {state.sent.append})
