"""`intercomd`, and `python -m intercomd_daemon`."""

from intercomd_daemon.cli.main import main

if __name__ == "__main__":
    main()
