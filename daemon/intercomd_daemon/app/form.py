"""Which form of daemon the envelopes in a spool were accepted by: one that delivers, or an agent that forwards.

What one form stores, the other cannot send. So the form of a spool changes only while nothing waits in it.
"""

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.base import Spool

_STATE = "form"
_AGENT, _DAEMON = b"agent", b"daemon"


async def check_form(spool: Spool, *, agent: bool) -> None:
    """Checks that the daemon can send the waiting envelopes of the spool, and stores its form.

    Raises:
        SpoolUnusable: the other form accepted the waiting envelopes.
    """
    form = _AGENT if agent else _DAEMON
    stored = await spool.load_state(_STATE) or _DAEMON
    if stored == form:
        return
    usages = spool.usage().connections.values()
    waiting, letters = sum(each.normal + each.bulk for each in usages), sum(each.dead_letters for each in usages)
    if waiting or letters:
        held = f"the spool holds {waiting} waiting envelopes and {letters} dead letters that were accepted"
        if agent:
            fix = "to be delivered to Intercom: start without upstream.target until none is left, or name another spool"
        else:
            fix = "to be forwarded: start with upstream.target until none is left, or name another file in spool.url"
        raise SpoolUnusable(f"{held} {fix}")
    await spool.save_state(_STATE, form)
