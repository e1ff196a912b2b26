"""The daemon's process: runs the daemon until SIGTERM or SIGINT; a second signal stops it at once, SIGHUP reloads."""

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial

from intercomd_daemon import config, signal_handlers
from intercomd_daemon.app.daemon import Daemon
from intercomd_daemon.app.file_limit import file_limit_warning, raise_file_limit
from intercomd_daemon.errors import EXIT_CONFIGURATION, EXIT_FAILED, IntercomdError, SettingsInvalid
from intercomd_daemon.telemetry import logs
from intercomd_daemon.telemetry.log_stream import LineWriter, LogStream, occupy_standard_descriptors


def run(path: str | None) -> int:
    """Runs the daemon with the settings file, or with the environment alone, and returns the exit code."""
    occupy_standard_descriptors()
    stream = LogStream()
    try:
        loaded = config.load(path, os.environ)
    except SettingsInvalid as error:
        stream.write(error.problems)
        stream.close()
        return EXIT_CONFIGURATION
    log = logs.set_up(loaded.settings.log, stream)
    # Output of libraries and of Python itself goes to the log, too: writing it directly could block the daemon.
    logging.captureWarnings(capture=True)
    with redirect_stdout(_printed(log, "stdout")), redirect_stderr(_printed(log, "stderr")):
        try:
            return asyncio.run(_run(loaded, log, partial(config.load, path, dict(os.environ), serving=True)))
        finally:
            stream.close()


def _printed(log: logs.Logs, name: str) -> LineWriter:
    return LineWriter(lambda line: log.logger.warning("printed", stream=name, text=line))


async def _run(loaded: config.LoadedSettings, log: logs.Logs, load: Callable[[], config.LoadedSettings]) -> int:
    """Runs the daemon, logs what ended it, and returns the exit code."""
    code = 0
    try:
        await _serve(loaded, log, load)
    except* IntercomdError as known:
        for error in dict.fromkeys(map(str, _flatten(known))):
            log.logger.error("fatal", error=error)  # noqa: TRY400 - the message names the fix, a traceback would not help
        code = EXIT_FAILED
    except* Exception:  # top level: bugs are logged as well, after redaction
        log.logger.error("fatal", exc_info=True)  # noqa: G201 - a structlog logger
        code = EXIT_FAILED
    return code


async def _serve(loaded: config.LoadedSettings, log: logs.Logs, load: Callable[[], config.LoadedSettings]) -> None:
    files = file_limit_warning(loaded.settings.ingest, raise_file_limit())
    for warning in (*loaded.warnings, *([files] if files else [])):
        log.logger.warning("setting", warning=warning)
    daemon = Daemon(loaded.settings, log, load)
    # The collector skips what exists by now: all modules. `Daemon` has loaded the last ones, those of its destination.
    gc.freeze()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        if len(reloads) < 2:  # One that has not begun reads the settings for every signal until then.
            reloads.add(task := asyncio.create_task(_reload(daemon)))
            task.add_done_callback(reloads.discard)

    signal_handlers.connect(
        daemon.stop, reload, lambda number: log.logger.warning("signal_ignored", signal=number.name)
    )
    await daemon.run()


async def _reload(daemon: Daemon) -> None:
    """Reloads after SIGHUP, once the daemon serves; the daemon logs what came of it."""
    await daemon.serving.wait()
    with suppress(IntercomdError):
        await daemon.operators.reload()


def _flatten(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yields the exceptions of a group and of its nested groups."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _flatten(error)
        else:
            yield error
