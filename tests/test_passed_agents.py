"""The agents that a call has passed."""

import pytest

from intercomd_daemon.passed_agents import AGENTS_MAX, HEADER, header_of, is_loop, read_passed


@pytest.mark.parametrize("agents", [(), ("a",), ("a", "b", "c")])
def test_header_is_read_as_it_was_written(agents: tuple[str, ...]) -> None:
    assert read_passed((("other", "x"), *header_of(agents))) == agents


def test_header_without_agents_is_left_out() -> None:
    assert header_of(()) == ()
    assert read_passed(((HEADER, ""),)) == ()


@pytest.mark.parametrize(("passed", "expected"), [((), False), (("b", "c"), False), (("a",), True), (("b", "a"), True)])
def test_call_that_passed_the_agent_is_a_loop(passed: tuple[str, ...], *, expected: bool) -> None:
    assert is_loop(passed, "a") is expected


@pytest.mark.fills("passed_agents.AGENTS_MAX")
def test_long_chain_is_a_loop() -> None:
    chain = [str(number) for number in range(AGENTS_MAX)]
    assert is_loop(chain, "a")
    assert not is_loop(chain[1:], "a")
