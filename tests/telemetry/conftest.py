"""Logs on a real file, with what is global put back."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from intercomd_daemon.telemetry.logs import Logs, set_up
from intercomd_daemon.telemetry.settings import LogSettings


class Written:
    """A log file, and the log that writes to it."""

    def __init__(self, path: Path, settings: LogSettings) -> None:
        self._path = path
        self._stream = path.open("w", encoding="utf-8")
        self.logs: Logs = set_up(settings, self._stream)

    @property
    def text(self) -> str:
        return self._path.read_text(encoding="utf-8")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.text.splitlines()]

    def close(self) -> None:
        self._stream.close()


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[..., Written]]:
    """Opens a log by its settings."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    opened: list[Written] = []

    def open_log(**settings: str | bool) -> Written:
        opened.append(Written(tmp_path / f"{len(opened)}.log", msgspec.convert(settings, LogSettings)))
        return opened[-1]

    yield open_log
    for written in opened:
        written.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
