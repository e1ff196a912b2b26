"""Lines as they are written to a real file: their shape, their level, and what never comes out."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest

from intercomd_daemon.telemetry.logs import TEXT_CHARACTERS_MAX, Line, set_up
from intercomd_daemon.telemetry.settings import LEVELS, LogSettings

Write = Callable[..., Any]
EMAIL = "alice.o'brien@example.com"
TOKEN = "dG9rOmFiY2RlZjEyMzQ1Njc4OTA="
HIDDEN = "a-token-from-a-file"


def test_line_is_one_json_object_with_time_level_and_event_first(write: Write) -> None:
    written = write()
    written.logs.logger.info("started", port=50051, name="a\nb", share=0.5, ready=True, nothing=None)
    assert written.text.endswith("\n")
    line = written.lines[0]
    assert list(line) == ["timestamp", "level", "event", "port", "name", "share", "ready", "nothing"]
    assert (line["level"], line["event"], line["name"]) == ("info", "started", "a\nb")


def test_times_are_rfc_3339_in_utc(write: Write) -> None:
    written = write()
    written.logs.logger.info("started")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", written.lines[0]["timestamp"])


@pytest.mark.parametrize("level", LEVELS)
def test_lines_below_the_level_are_not_written(write: Write, level: str) -> None:
    written = write(level=level)
    logger = written.logs.logger
    for name in LEVELS:
        getattr(logger, name)(name)
    assert [line["event"] for line in written.lines] == list(LEVELS[LEVELS.index(level) :])
    enabled = [name for name in LEVELS if logger.is_enabled_for(logging.getLevelNamesMapping()[name.upper()])]
    assert enabled == list(LEVELS[LEVELS.index(level) :])


def test_console_format_is_readable(write: Write) -> None:
    written = write(format="console")
    written.logs.logger.warning("outcome", reason="EXPIRED", attempts=2)
    assert re.match(r"\S+Z \[warning +\] outcome +reason=EXPIRED attempts=2\n", written.text)
    assert "\x1b" not in written.text


class Size(IntEnum):
    LARGE = 3


class Colour(StrEnum):
    RED = "red"


class Plain(Enum):
    ROUND = "round"


def test_console_shows_values_of_enums_as_json_does(write: Write) -> None:
    console, lines = (write(format=each, level="debug", values=True) for each in ("console", "json"))
    for written in (console, lines):
        logger = set_up(
            LogSettings(format="console" if written is console else "json", level="debug", values=True),
            written._stream,
        ).logger
        logger.debug("seen", size=Size.LARGE, colour=Colour.RED, shape=Plain.ROUND, several=[Colour.RED])
    assert "size=3 colour=red shape=round several=['red']\n" in console.text
    assert [lines.lines[0][name] for name in ("size", "colour", "shape", "several")] == [3, "red", "round", ["red"]]


def test_libraries_log_the_same_lines_from_warning_up(write: Write) -> None:
    written = write(level="debug")
    logging.getLogger("aiohttp.server").warning("late by %d s", 5)
    logging.getLogger("grpc").info("chatter")
    logging.getLogger("odd").log(35, "between the levels")
    logging.getLogger("odd").error("%d is no number", "x")
    found = [(line["level"], line["event"], line["logger"], line["message"]) for line in written.lines]
    assert found == [
        ("warning", "library", "aiohttp.server", "late by 5 s"),
        ("warning", "library", "odd", "between the levels"),
        ("error", "library", "odd", "%d is no number"),
    ]


def test_libraries_keep_to_a_higher_level(write: Write) -> None:
    written = write(level="error")
    logging.getLogger("aiohttp.server").warning("late")
    assert written.text == ""


def test_exception_is_logged_with_its_traceback(write: Write) -> None:
    written = write()
    try:
        raise RuntimeError(f"no room for {EMAIL}")  # noqa: TRY301  # an exception with a traceback
    except RuntimeError:
        logging.getLogger("asyncio").exception("a task failed")
    exception = written.lines[0]["exception"]
    assert "test_exception_is_logged" in exception
    assert "no room for <email>" in exception


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("secret", [TOKEN, HIDDEN, "Bearer abcdefgh"])
def test_token_appears_in_no_line(write: Write, format_: str, values: bool, secret: str) -> None:
    """Planted in every place."""
    written = write(format=format_, level="debug", values=values)
    written.logs.hide(HIDDEN)
    for level in LEVELS:
        plant(getattr(written.logs.logger, level), secret)
    logging.getLogger("library").warning("with %s", secret)
    assert len(written.text.splitlines()) > len(LEVELS) * 8
    assert secret.removeprefix("Bearer ") not in written.text


@pytest.mark.parametrize("format_", ["json", "console"])
def test_email_appears_in_no_line(write: Write, format_: str) -> None:
    """Planted in every place."""
    written = write(format=format_, level="debug")
    for level in LEVELS:
        plant(getattr(written.logs.logger, level), EMAIL)
    logging.getLogger("library").warning("with %s", EMAIL)
    assert "brien" not in written.text
    assert "example.com" not in written.text


class Note(Line, kw_only=True):
    """A line of a fixed form."""

    text: str
    number: int = 0


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize(
    "text", ["plain", f"to {EMAIL}", TOKEN, HIDDEN, "Bearer abcdefgh", "half \ud800", "word " * 2_000], ids=str
)
def test_line_of_a_fixed_form_reads_like_any_other(write: Write, format_: str, text: str) -> None:
    """Secrets and emails are redacted, long text is cut."""
    fixed, other = write(format=format_), write(format=format_)
    for written in (fixed, other):
        written.logs.hide(HIDDEN)
    for level in (logging.INFO, logging.WARNING):
        fixed.logs.logger.log_lines("noted", [(level, Note(text=text, number=3))])
        other.logs.logger.log(level, "noted", text=text, number=3)
        fixed.logs.logger.log_lines("noted", [(level, Note(text=text))])
        other.logs.logger.log(level, "noted", text=text)
    without_times = [re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", written.text) for written in (fixed, other)]
    assert without_times[0] == without_times[1]
    assert len(fixed.text.splitlines()) == 4


@pytest.mark.parametrize(
    "texts",
    [
        ["plain", "two\nlines\r\n", "\u2028 \x85"],
        ["plain", f"to {EMAIL}"],
        [TOKEN, "half \ud800"],
        ["a", "word " * 2_000],
    ],
    ids=["plain", "email", "secret and half of a pair", "too long"],
)
def test_lines_logged_together_read_like_any_others(write: Write, texts: list[str]) -> None:
    together, alone = write(), write()
    together.logs.logger.log_lines("noted", [(logging.INFO, Note(text=text)) for text in texts])
    for text in texts:
        alone.logs.logger.info("noted", text=text)
    without_times = [re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", written.text) for written in (together, alone)]
    assert without_times[0] == without_times[1]
    assert together.text.count("\n") == len(texts)


def test_line_of_a_fixed_form_below_the_level_is_not_written(write: Write) -> None:
    written = write(level="warning")
    written.logs.logger.log_lines("noted", [(logging.INFO, Note(text="a"))])
    assert written.text == ""
    written.logs.logger.log_lines("noted", [(logging.INFO, Note(text="a")), (logging.ERROR, Note(text="b"))])
    assert [(line["level"], line["text"]) for line in written.lines] == [("error", "b")]


def plant(log: Callable[..., None], text: str) -> None:
    """Lines that hold the text wherever a line can hold one."""
    log(text)
    log(f"event of {text}")
    for name in ("envelope_id", "lane", "reason", "email", "token", "anything", "exception"):
        log("event", **{name: text})
        log("event", **{name: f"around {text} it"})
    log("event", **{text: "as a name"})
    log(
        "event",
        nested={"update": {text: [text, {"a": (text,)}]}},
        several=[text],
        error=ValueError(text),
        raw=Shown(text),
    )


class Shown:
    """Something that shows the text only when it is written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


@pytest.mark.parametrize("format_", ["json", "console"])
def test_attribute_values_appear_in_debug_lines_if_enabled(write: Write, format_: str) -> None:
    shy, open_ = write(format=format_, level="debug"), write(format=format_, level="debug", values=True)
    fields = {"update": {"plan": "platinum"}, "email": EMAIL, "metadata": '{"price": "platinum"}'}
    shy_logger = set_up(LogSettings(format=format_, level="debug"), shy._stream).logger
    for level in LEVELS:
        getattr(shy_logger, level)("call", **fields)
        getattr(open_.logs.logger, level)("call", **fields)
    assert "platinum" not in shy.text
    assert "brien" not in shy.text
    debug, *others = open_.text.splitlines()
    assert "platinum" in debug
    assert "brien" in debug
    assert "platinum" not in "".join(others)
    assert "brien" not in "".join(others)


def test_half_a_surrogate_pair_is_written_escaped(write: Write) -> None:
    written = write()
    written.logs.logger.info("read", path="\udc80")
    assert json.loads(written.text)["path"] == "\udc80"


def test_unwritable_lines_are_counted_and_raise_nothing(write: Write) -> None:
    write()
    reading, writing = os.pipe()
    os.close(reading)
    stream = io.TextIOWrapper(io.FileIO(writing, "w"), write_through=True)
    logs = set_up(LogSettings(), stream)
    logs.logger.info("unread")
    logs.logger.info("unread")
    assert logs.lost() == 2
    stream.close()
    logs.logger.info("to a closed stream")
    assert logs.lost() == 3
    logs.logger.log_lines("noted", [(logging.INFO, Note(text="one")), (logging.INFO, Note(text="two"))])
    assert logs.lost() == 5


def test_lines_logged_together_are_written_in_one_call(write: Write) -> None:
    write()
    stream = Pieces()
    logs = set_up(LogSettings(), stream)
    logs.logger.info("before")
    logs.logger.log_lines("noted", [(logging.INFO, Note(text="one")), (logging.WARNING, Note(text="two"))])
    logs.logger.info("after")
    assert [[json.loads(line)["event"] for line in piece.splitlines()] for piece in stream.pieces] == [
        ["before"],
        ["noted", "noted"],
        ["after"],
    ]


def test_batch_without_lines_writes_nothing(write: Write) -> None:
    write()
    stream = Pieces()
    set_up(LogSettings(), stream).logger.log_lines("noted", [])
    assert stream.pieces == []


class Pieces(io.StringIO):
    """A stream that keeps what each write gave it."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return len(text)


def test_disabled_line_is_not_rendered(write: Write) -> None:
    written = write(level="warning")
    written.logs.logger.info("nothing", raw=Untouchable())
    assert written.text == ""


class Untouchable:
    """Something that no code may show."""

    def __repr__(self) -> str:
        raise AssertionError("looked at")


def test_second_setup_leaves_the_first_log_unchanged(write: Write) -> None:
    first, second = write(), write(level="debug")
    first.logs.logger.info("first")
    first.logs.logger.debug("first")
    second.logs.logger.debug("second")
    assert [line["event"] for line in first.lines] == ["first"]
    assert [line["event"] for line in second.lines] == ["second"]


def test_logs_do_not_import_rich(tmp_path: Path) -> None:
    """Rich costs a quarter of a second of every start, so that only the commands that draw may load it."""
    script = tmp_path / "start.py"
    script.write_text(
        "import io, sys\n"
        "from intercomd_daemon.telemetry.logs import set_up\n"
        "from intercomd_daemon.telemetry.settings import LogSettings\n"
        "set_up(LogSettings(format='console'), io.StringIO()).logger.info('started')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'rich']\n"
        "import rich\n"
        "from intercomd_daemon.telemetry.logs import set_up as again\n"
        "assert sys.modules['rich'] is rich\n"
    )
    subprocess.run([sys.executable, str(script)], check=True)  # noqa: S603  # our own script


def test_terminal_gets_colours(write: Write) -> None:
    write()
    stream = Terminal()
    set_up(LogSettings(format="console"), stream).logger.info("started")
    assert "\x1b[" in stream.getvalue()


class Terminal(io.StringIO):
    """A stream that shows colours."""

    def isatty(self) -> bool:
        return True


@pytest.mark.fills("telemetry.logs.TEXT_CHARACTERS_MAX")
@pytest.mark.parametrize("format_", ["json", "console"])
def test_long_text_is_cut_to_its_beginning_and_end(write: Write, format_: str) -> None:
    written = write(format=format_)
    half = TEXT_CHARACTERS_MAX // 2
    text = "begins " + "x" * 1_000_000 + " ends"
    # A secret at the cut is left out whole: redaction would not recognise a part of it.
    cut = "begins".ljust(half - 8) + TOKEN + "x" * half + " Bearer " + TOKEN + "ends".rjust(half - 20)
    logging.getLogger("aiohttp.server").warning(text)
    written.logs.logger.info("some", short="kept", number=5, text=cut, whole="a b" * 9)
    assert len(written.text) < 4 * TEXT_CHARACTERS_MAX
    assert written.text.count("begins") == written.text.count("ends") == 2
    assert "kept" in written.text
    assert not [part for part in (TOKEN[:8], TOKEN[-8:]) if part in written.text]
