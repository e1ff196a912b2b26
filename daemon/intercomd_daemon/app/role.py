"""The role of a daemon: it delivers to Intercom, or it is an agent that forwards to a gateway.

A daemon of one role cannot send what the other stored. So a spool changes its role only while it holds no envelope.
"""

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.base import Spool

_STATE = "form"
"""The name under which spools store their role."""
_AGENT, _DAEMON = b"agent", b"daemon"


async def check_role(spool: Spool, *, agent: bool) -> None:
    """Checks that the daemon can send the waiting envelopes of the spool, and stores its role.

    Raises:
        SpoolUnusable: the spool holds envelopes that a daemon of the other role accepted.
    """
    role = _AGENT if agent else _DAEMON
    stored = await spool.load_state(_STATE) or _DAEMON
    if stored == role:
        return
    usages = spool.usage().connections.values()
    waiting, letters = sum(each.normal + each.bulk for each in usages), sum(each.dead_letters for each in usages)
    if waiting or letters:
        held = f"the spool holds {waiting} waiting envelopes and {letters} dead letters that were accepted"
        if agent:
            fix = "to be delivered to Intercom: start without upstream.target"
        else:
            fix = "to be forwarded: start with upstream.target"
        end = "until they are sent, and replay or discard dead letters (`intercomd dead-letters`)"
        raise SpoolUnusable(f"{held} {fix} {end}, or name another spool in spool.url")
    await spool.save_state(_STATE, role)
