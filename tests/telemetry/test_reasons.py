"""Labels know every reason that our code gives, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from intercomd_daemon import envelope
from intercomd_daemon.telemetry.reasons import KNOWN, OTHER, label_of

PACKAGE = Path(envelope.__file__).parent
# Reasons that end no envelope: how a connection stands, and what is tried again.
OTHERS = frozenset(
    {"ACCESS_UNVERIFIED", "APP_ID_MISMATCH", "NOT_INTERCOM", "PLAN_RESTRICTED", "REGION_MISMATCH", "VERSION_INVALID"}
    | {"ANSWER_UNREADABLE", "RATE_LIMITED"}
)


@pytest.mark.parametrize("reason", ["", "EXPIRED", "IDENTITY_REQUIRED", "SAME_SECOND", "CONNECTION_INACTIVE"])
def test_a_known_reason_is_its_own_label(reason: str) -> None:
    assert label_of(reason) == reason


@pytest.mark.parametrize("reason", ["SOMETHING_NEW", "alice@example.com", "expired", "HTTP_", "HTTP_999", "HTTP_4041"])
def test_any_other_text_is_other(reason: str) -> None:
    assert label_of(reason) == OTHER


@pytest.mark.parametrize(("reason", "label"), [("HTTP_503", "HTTP_5xx"), ("HTTP_418", "HTTP_4xx")])
def test_a_status_is_told_by_its_class(reason: str, label: str) -> None:
    assert label_of(reason) == label


def written_like_reasons() -> Iterator[str]:
    for path in [*PACKAGE.glob("ingest/**/*.py"), *PACKAGE.glob("deliver/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", text):
                yield text


def test_every_reason_in_the_code_is_known() -> None:
    """A new one is added to `KNOWN`, or metrics would show it as `other`."""
    assert set(written_like_reasons()) - OTHERS <= KNOWN
