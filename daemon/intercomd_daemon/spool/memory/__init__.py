"""The spool without a disk."""

from intercomd_daemon.spool.memory.engine import MemorySpool

__all__ = ["MemorySpool"]
