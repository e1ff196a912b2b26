"""A story, as commands tell it."""

import pytest

from intercomd_daemon.cli.story import tell
from intercomd_daemon.operations.explain import Story


def test_it_is_told_in_lines_with_the_remedy_last(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Story("e-1", "e-1 of 42", "It was refused.", ("contact: delivered", "event\x1b"), "Mend it."))
    assert capsys.readouterr().out == (
        "e-1 of 42\n  It was refused.\n    contact: delivered\n    event\\x1b\n  What to do: Mend it.\n"
    )


def test_where_nothing_needs_to_be_done_nothing_is_advised(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Story("e-1", "e-1 of 42", "Intercom has it.", (), ""))
    assert "What to do" not in capsys.readouterr().out
