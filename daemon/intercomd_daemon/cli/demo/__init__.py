"""`intercomd demo`: sandbox, daemon and senders on this machine, without an account or a network.

`scenario` defines what is sent and what must come of it, `command` runs it, `checks` compares the two.
"""

from intercomd_daemon.cli.demo.command import command

__all__ = ["command"]
