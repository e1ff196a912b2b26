"""How envelopes of the demo may end."""

from intercomd_daemon.cli.demo.step import Fate


def test_what_gets_into_the_spool_has_an_outcome() -> None:
    assert {fate for fate in Fate if fate.accepted} == {Fate.DELIVERED, Fate.UNCHANGED, Fate.DEAD_LETTER}
