"""`intercomd demo`: the whole job, with a sandbox in Intercom's place; needs no account and no network.

`scenario` says what is sent and what must come of it, `play` has it happen, `evidence` and `checks` compare the two.
"""

from intercomd_daemon.cli.demo.play import command

__all__ = ["command"]
