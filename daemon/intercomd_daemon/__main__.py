"""`intercomd`, and `python -m intercomd_daemon`."""

import gc
import os
import sys
from pathlib import Path

from intercomd_daemon import deferred_imports, signal_handlers

# Reference counting frees nearly everything that a request allocates. The collector therefore runs only once the new
# objects of a few large requests are alive, not after every 700. During the imports that saves an eighth of a start.
_GC_THRESHOLDS = (20_000, 20, 20)


def main() -> None:
    """Runs the command that the arguments name."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"]:
        signal_handlers.hold()  # first: the imports below take most of the time of a start
        gc.set_threshold(*_GC_THRESHOLDS)
        deferred_imports.prepare()
    # gRPC reads this variable when it is imported. It would print its own lines to stderr, about errors that our
    # commands report themselves.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if is_plain_run(arguments):
        from intercomd_daemon.app import process  # noqa: PLC0415 - heavy, for this command alone

        sys.exit(process.run(arguments[2] if arguments[1:] else None))
    from intercomd_daemon.cli.main import main as command  # noqa: PLC0415 - click, which a daemon does not need

    command()


def is_plain_run(arguments: list[str]) -> bool:
    """Returns whether these arguments start the daemon without click, which costs 1 MiB of memory.

    Other spellings, and a file that cannot be read, are left to click and its messages.
    """
    match arguments:
        case ["run"]:
            return True
        case ["run", "--config", path]:
            return Path(path).is_file() and os.access(path, os.R_OK)
    return False


if __name__ == "__main__":
    main()
