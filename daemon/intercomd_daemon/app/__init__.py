"""The composition root."""

from intercomd_daemon.app.daemon import Daemon

__all__ = ["Daemon"]
