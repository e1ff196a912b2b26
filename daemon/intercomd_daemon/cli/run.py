"""`intercomd run`: the daemon, until SIGTERM or SIGINT; a second one stops it at once."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

import click

from intercomd_daemon import config
from intercomd_daemon.app import Daemon
from intercomd_daemon.cli.exits import EXIT_CONFIGURATION, EXIT_FAILED
from intercomd_daemon.errors import IntercomdError, SettingsInvalid
from intercomd_daemon.telemetry import logs
from intercomd_daemon.telemetry.stream import LineWriter, LogStream, occupy_standard_descriptors

# Nearly all that a request makes is let go of by count. What is loaded at the start is never garbage and is not looked
# through again; the rest only when a few large requests' worth of new objects are alive, not every 700.
_COLLECTED_AFTER = (20_000, 20, 20)


@click.command("run")
@click.option(
    "--config", "path", type=click.Path(dir_okay=False), help="Settings in TOML; without it: environment and defaults."
)
def command(path: str | None) -> None:
    """Run the daemon until it is told to stop (SIGTERM, or Ctrl-C).

    It accepts envelopes over gRPC, keeps them on disk, and forwards them to Intercom. On SIGTERM it finishes what is
    open and exits with 0; a second signal ends it at once, which loses nothing either.
    """
    occupy_standard_descriptors()
    stream = LogStream()
    try:
        loaded = config.load(path, os.environ)
    except SettingsInvalid as error:
        stream.write(error.problems)
        stream.close()
        sys.exit(EXIT_CONFIGURATION)
    told = logs.set_up(loaded.settings.log, stream)
    # What libraries and Python itself print goes the same way: a write of theirs would block the daemon as well.
    logging.captureWarnings(capture=True)
    with redirect_stdout(_printed(told, "stdout")), redirect_stderr(_printed(told, "stderr")):
        try:
            code = asyncio.run(_run(loaded, told))
        finally:
            stream.close()
    sys.exit(code)


def _printed(told: logs.Logs, name: str) -> LineWriter:
    return LineWriter(lambda line: told.logger.warning("printed", stream=name, text=line))


async def _run(loaded: config.Loaded, told: logs.Logs) -> int:
    for warning in loaded.warnings:
        told.logger.warning("setting", warning=warning)
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)
    daemon = Daemon(loaded.settings, told)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    code = 0
    try:
        await daemon.run()
    except* IntercomdError as known:
        for error in dict.fromkeys(map(str, _each(known))):
            told.logger.error("ended", error=error)  # noqa: TRY400 - the message holds the remedy, a trace would not
        code = EXIT_FAILED
    except* Exception:  # the last frame: a fault of ours stands in the log as well, past the redaction
        told.logger.error("ended", exc_info=True)  # noqa: G201 - our logger is not logging's
        code = EXIT_FAILED
    return code


def _each(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The exceptions of a group, and of the groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _each(error)
        else:
            yield error
