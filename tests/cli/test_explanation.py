"""Tests printing what became of an envelope."""

import pytest

from intercomd_daemon.cli.explanation import print_explanation
from intercomd_daemon.operations.explain import Explanation


def test_explanation_ends_with_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(
        Explanation("e-1", "e-1 of 42", "It was refused.", ("contact: delivered", "event\x1b"), "Fix it.")
    )
    assert capsys.readouterr().out == (
        "e-1 of 42\n  It was refused.\n    contact: delivered\n    event\\x1b\n  What to do: Fix it.\n"
    )


def test_explanation_without_a_remedy_advises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(Explanation("e-1", "e-1 of 42", "Intercom accepted it.", (), ""))
    assert "What to do" not in capsys.readouterr().out
