"""One registry holds every reason, and the page, the contract, the labels and the code agree with it."""

import ast
import re
from collections.abc import Iterator

import pytest

from documents import ROOT
from generate_reasons import PAGE, render
from intercomd.v1 import envelope_pb2, event_pb2, ingest_pb2, operations_pb2, outcome_pb2
from intercomd_daemon.reasons import LABELS, OTHER, REASONS, ReasonKind, label_of, remedy_of

PACKAGE = ROOT / "daemon" / "intercomd_daemon"
PROTO = ROOT / "proto" / "intercomd" / "v1"
ENUMS = [
    value
    for file in (envelope_pb2, event_pb2, ingest_pb2, operations_pb2, outcome_pb2)
    for enum in file.DESCRIPTOR.enum_types_by_name.values()
    for value in enum.values_by_name
]
# Words of the same spelling that are not reasons: gRPC's codes, and how a comment writes that spelling itself.
STATUSES = {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "DEADLINE_EXCEEDED", "NOT_FOUND"}
STATUSES |= {"FAILED_PRECONDITION", "UPPER_SNAKE", "NOT_SERVING"}


def codes(*kinds: ReasonKind) -> set[str]:
    return {reason.code for reason in REASONS if reason.kind in kinds}


def test_page_is_generated_from_the_registry() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == render(page), "run make reasons"


def test_page_without_a_table_for_each_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 11"):
        render("no table")


def test_code_is_listed_once_for_each_kind() -> None:
    assert len({(reason.kind, reason.code) for reason in REASONS}) == len(REASONS)


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: f"{reason.kind.name} {reason.code}")
def test_remedy_is_one_sentence(reason: object) -> None:
    assert re.fullmatch(r"[A-Z`][^\n|]*\.", reason.remedy)  # type: ignore[attr-defined]
    assert not re.search(r"[.!?] [A-Z]", reason.remedy)  # type: ignore[attr-defined]
    assert reason.cause.endswith(".")  # type: ignore[attr-defined]


def findings_of_the_code(method: str) -> Iterator[str]:
    """The reasons that calls such as `found.reject("CODE", ...)` name."""
    for path in (PACKAGE / "ingest").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
                yield from (arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant))


@pytest.mark.parametrize(("method", "kind"), [("reject", ReasonKind.VIOLATION), ("adjust", ReasonKind.ADJUSTMENT)])
def test_every_finding_of_the_code_is_a_registered_reason_of_its_kind(method: str, kind: ReasonKind) -> None:
    found = set(findings_of_the_code(method))
    assert found
    assert found <= codes(kind)


@pytest.mark.parametrize("path", sorted(PROTO.glob("*.proto")), ids=lambda path: path.name)
def test_every_code_in_a_comment_of_the_contract_is_registered(path: object) -> None:
    comments = " ".join(re.findall(r"//(.*)", path.read_text()))  # type: ignore[attr-defined]
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", comments)) - STATUSES
    enums = {name for name in named if any(value.endswith(name) or value.startswith(name) for value in ENUMS)}
    assert named - enums <= codes(*ReasonKind)


def test_remedy_of_a_reason_is_plain_text() -> None:
    assert remedy_of(ReasonKind.DEAD_LETTER, "EXPIRED") == "Raise event_age_max; then replay."
    assert remedy_of(ReasonKind.DEAD_LETTER, "STRANGE") == remedy_of(ReasonKind.SKIP, "EXPIRED") == ""


def test_codes_of_calls_envelopes_and_outcomes_are_labels() -> None:
    kinds = (
        ReasonKind.VIOLATION,
        ReasonKind.SKIP,
        ReasonKind.ADJUSTMENT,
        ReasonKind.LEFT_OUT,
        ReasonKind.DEAD_LETTER,
        ReasonKind.UPSTREAM,
    )
    assert codes(*kinds) == LABELS


@pytest.mark.parametrize("reason", ["", "EXPIRED", "IDENTITY_REQUIRED", "SAME_SECOND", "CONNECTION_INACTIVE"])
def test_known_reason_is_its_own_label(reason: str) -> None:
    assert label_of(reason) == reason


@pytest.mark.parametrize("reason", ["SOMETHING_NEW", "alice@example.com", "expired", "HTTP_", "HTTP_999", "HTTP_4041"])
def test_any_other_text_is_other(reason: str) -> None:
    assert label_of(reason) == OTHER


@pytest.mark.parametrize(("reason", "label"), [("HTTP_503", "HTTP_5xx"), ("HTTP_418", "HTTP_4xx")])
def test_label_of_a_status_is_its_class(reason: str, label: str) -> None:
    assert label_of(reason) == label
