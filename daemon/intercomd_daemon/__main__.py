"""`intercomd`, and `python -m intercomd_daemon`."""

import sys

from intercomd_daemon import signal_handlers

if sys.argv[1:2] == ["run"]:
    signal_handlers.hold()  # first: the imports below take most of the time of a start

from intercomd_daemon.cli.main import main

if __name__ == "__main__":
    main()
