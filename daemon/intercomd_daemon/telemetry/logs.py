"""Configures logging: JSON or console lines, one scalar a field, redacted whichever part or library logs them.

The only module that imports structlog; every other part receives a Logger.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple, Protocol, TextIO

import msgspec

from intercomd_daemon.telemetry.log_stream import LogStream
from intercomd_daemon.telemetry.redaction import GUARDED_FIELDS, SCALARS, Redaction, shown_field
from intercomd_daemon.telemetry.settings import LogSettings

TEXT_CHARACTERS_MAX = 4_096
"""Characters of one field: log collectors cut lines, usually at 16 KiB, and stacks or texts of libraries may be longer.
The beginning and the end are kept."""
Render = Callable[[MutableMapping[str, Any]], str]
Processor = Callable[[object, str, MutableMapping[str, Any]], Any]
"""A step of structlog: takes the logger, the level and the fields, and returns other fields; the last one the line."""
_LEVEL_NAMES = {
    level: logging.getLevelName(level).lower()
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
}


class Line(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A line of a fixed form, for what is logged for each envelope: it is encoded without a dictionary of its fields.

    Subclasses (`kw_only`) add fields of one scalar each, none of GUARDED_FIELDS. A default is not written.
    """

    timestamp: str = ""
    level: str = ""
    event: str = ""


class Logger(Protocol):
    """Logs an event, named in snake_case, with fields of one scalar each."""

    def is_enabled_for(self, level: int, /) -> bool:
        """Returns whether lines of this `logging` level are written, so that callers can skip preparing the others."""
        ...

    def log(self, level: int, event: str, /, **fields: object) -> None:
        """Logs with a level of `logging`."""
        ...

    def log_lines(self, event: str, lines: Iterable[tuple[int, Line]], /) -> None:
        """Logs events of one name as lines of a fixed form, each with its level; sets timestamp, level and event.

        They leave in one write, as each write wakes the reader.
        """
        ...

    def debug(self, event: str, /, **fields: object) -> None:
        """Logs a detail that helps to find a mistake."""
        ...

    def info(self, event: str, /, **fields: object) -> None:
        """Logs normal operation."""
        ...

    def warning(self, event: str, /, **fields: object) -> None:
        """Logs a condition that an operator should look at."""
        ...

    def error(self, event: str, /, **fields: object) -> None:
        """Logs a failure that keeps the daemon from its work."""
        ...


class Logs(NamedTuple):
    """The configured log."""

    logger: Logger
    hide: Callable[[str], None]
    """Registers a secret for redaction, such as an access token read from its file."""
    lost: Callable[[], int]
    """Returns the number of lines lost since the start."""
    configure: Callable[[LogSettings], None]
    """Applies another level and another `values` from now on; the format stays."""


def set_up(settings: LogSettings, stream: TextIO | LogStream) -> Logs:
    """Writes our lines and the warnings and errors of libraries to the stream; call it once in a process.

    Configures structlog and the root logger. Writing to a LogStream never blocks; writing to a text stream may.
    """
    with _without_rich():
        import structlog  # noqa: PLC0415  # imported here to keep rich from being imported
    redaction = Redaction()
    writer = _Output(stream)
    render = _render_json
    if settings.format == "console":
        console = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
        )
        # The same values as in JSON: of an enumeration its value, not how Python shows it.
        render = lambda fields: console(None, "", msgspec.to_builtins(dict(fields), enc_hook=str))  # noqa: E731
    guard = _Guard(redaction, render, values=settings.values)
    if isinstance(stream, LogStream):
        stream.describe_lost = lambda lines: guard(None, "warning", {"event": "log_lines_lost", "lines": lines})
    structlog.configure(
        processors=[structlog.processors.format_exc_info, guard],
        wrapper_class=_LeveledLogger,  # type: ignore[arg-type]  # nothing of ours binds fields
        logger_factory=lambda *_: writer,
    )
    logger: _LeveledLogger = structlog.get_logger().bind()
    root = logging.getLogger()
    root.handlers[:] = [_Bridge(logger)]

    def configure(settings: LogSettings) -> None:
        level = logging.getLevelNamesMapping()[settings.level.upper()]
        logger.level, guard.values = level, settings.values
        root.setLevel(max(level, logging.WARNING))

    configure(settings)
    return Logs(logger, redaction.hide, writer.lost, configure)


class _LeveledLogger:
    """The class of loggers for structlog: runs its processors for lines of a level that can be changed.

    structlog's own class can neither change the level nor log as fast: its layers copy the fields four times.
    """

    def __init__(self, output: "_Output", processors: Sequence[Processor], context: object) -> None:  # noqa: ARG002 - as structlog calls it
        self._output = output
        *self._processors, guard = processors
        if not isinstance(guard, _Guard):
            raise TypeError(guard)
        self._guard = guard
        self.level = logging.INFO

    def is_enabled_for(self, level: int, /) -> bool:
        return level >= self.level

    def log(self, level: int, event: str, /, **fields: object) -> None:
        if level < self.level:
            return
        name = _LEVEL_NAMES[level]
        fields["event"] = event
        for process in self._processors:
            fields = process(self._output, name, fields)
        self._output.write([self._guard(self._output, name, fields)])

    def log_lines(self, event: str, lines: Iterable[tuple[int, Line]], /) -> None:
        now = _now()
        enabled: list[Line] = []
        for level, line in lines:
            if level >= self.level:
                line.timestamp, line.level, line.event = now, _LEVEL_NAMES[level], event
                enabled.append(line)
        if enabled:
            self._output.write(self._guard.render_lines(enabled))

    def debug(self, event: str, /, **fields: object) -> None:
        self.log(logging.DEBUG, event, **fields)

    def info(self, event: str, /, **fields: object) -> None:
        self.log(logging.INFO, event, **fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self.log(logging.WARNING, event, **fields)

    def error(self, event: str, /, **fields: object) -> None:
        self.log(logging.ERROR, event, **fields)


class _Guard:
    """The last processor: orders the fields, redacts and renders."""

    def __init__(self, redaction: Redaction, render: Render, *, values: bool) -> None:
        self._redaction = redaction
        self._render = render
        self.values = values

    def __call__(self, _logger: object, level: str, event: MutableMapping[str, Any]) -> str:
        values = self.values and level == "debug"
        fields: dict[str, Any] = {"timestamp": _now(), "level": level, "event": event.pop("event")}
        if SCALARS.issuperset(map(type, event.values())) and GUARDED_FIELDS.isdisjoint(event):
            fields.update(event)
        else:
            fields.update((name, shown_field(name, value, values=values)) for name, value in event.items())
        line = self._render(fields)
        if len(line) > TEXT_CHARACTERS_MAX:
            fields = {name: _shortened(value) for name, value in fields.items()}
            line = self._render(fields)
        if self._redaction.suspects(line, emails=not values):
            line = self._render(self._clean_fields(fields, emails=not values))
        return line

    def render_lines(self, lines: Sequence[Line]) -> list[str]:
        """Returns the lines, encoded together unless they are for a console, or one is too long or must be redacted."""
        if self._render is _render_json:
            with suppress(UnicodeEncodeError):
                text = _encode_lines(lines).decode()
                rendered = text.split("\n")[:-1]
                if max(map(len, rendered)) <= TEXT_CHARACTERS_MAX and not self._redaction.suspects(text, emails=True):
                    return rendered
        return [self(None, line.level, msgspec.to_builtins(line)) for line in lines]

    def _clean_fields(self, fields: Mapping[Any, Any], *, emails: bool) -> dict[str, Any]:
        """Returns the fields with names and values redacted, at every depth."""
        clean = self._redaction.clean
        return {clean(str(name), emails=emails): self._clean(value, emails=emails) for name, value in fields.items()}

    def _clean(self, value: object, *, emails: bool) -> object:
        if isinstance(value, str):
            return self._redaction.clean(value, emails=emails)
        if isinstance(value, Mapping):
            return self._clean_fields(value, emails=emails)
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item, emails=emails) for item in value]
        if value is None or isinstance(value, int | float):
            return value
        return self._redaction.clean(str(value), emails=emails)


def _shortened(value: object) -> object:
    """Returns the value; of long text its beginning and end, cut between words: redaction finds only whole secrets."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    if len(text) <= TEXT_CHARACTERS_MAX:
        return value
    half = TEXT_CHARACTERS_MAX // 2
    return " … ".join((*text[:half].rsplit(None, 1)[:-1], *text[-half:].split(None, 1)[1:]))


def _now() -> str:
    """Returns the current time in RFC 3339, UTC."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_without_fraction(seconds)}.{nanoseconds // 1000:06}Z"


@lru_cache(maxsize=1)  # Many lines share a second.
def _without_fraction(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


_encoder = msgspec.json.Encoder(enc_hook=str)
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines


def _render_json(fields: MutableMapping[str, Any]) -> str:
    try:
        return _encode(fields).decode()
    except UnicodeEncodeError:  # half a surrogate pair, from a file's name or a library
        return json.dumps(fields, default=str)


class _Output:
    """Writes whole lines and counts those that cannot be written: a full disk must not stop deliveries."""

    def __init__(self, stream: TextIO | LogStream) -> None:
        self._stream = stream
        self._lock = Lock()
        self._lost = 0

    def write(self, lines: list[str]) -> None:
        if isinstance(self._stream, LogStream):
            self._stream.write(lines)
            return
        with self._lock:
            try:
                self._stream.write("".join([line + "\n" for line in lines]))
                self._stream.flush()
            except (OSError, ValueError):  # ValueError: the stream is closed, or its encoding lacks a character
                self._lost += len(lines)

    def lost(self) -> int:
        return self._lost + (self._stream.lost() if isinstance(self._stream, LogStream) else 0)


class _Bridge(logging.Handler):
    """Turns records that libraries log through `logging` into lines like ours."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = str(record.msg)
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        self._logger.log(level, "library", logger=record.name, message=message, exc_info=record.exc_info)


@contextmanager
def _without_rich() -> Iterator[None]:
    """Hides rich, which structlog imports if it is installed: 0.25 s and 6 MB that no line needs."""
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]  # Python's own mark for "not to be imported"
    try:
        yield
    finally:
        if hidden:
            del sys.modules["rich"]
