"""The spool in memory."""

from intercomd_daemon.spool.memory.engine import MemorySpool

__all__ = ["MemorySpool"]
