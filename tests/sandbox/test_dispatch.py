"""Who may call, in which version, how often, and what: everything before the call itself."""

from collections.abc import Callable

import pytest

from intercomd_daemon.sandbox import SandboxSettings
from intercomd_daemon.sandbox.dispatch import faulty_headers, find_route
from intercomd_daemon.sandbox.http_messages import HttpResponse, ReceivedRequest
from intercomd_daemon.sandbox.recorded import NONE
from intercomd_daemon.sandbox.workspace import Workspace

Ask = Callable[..., HttpResponse]
Refusal = Callable[[HttpResponse], tuple[int, str, str]]
NOW = 1_700_000_003.5
RATE_NAMES = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]


def test_response_has_request_id_version_and_three_rate_headers(ask: Ask) -> None:
    workspace = Workspace(SandboxSettings(rate_limit=167, recorded=NONE))
    assert ask(workspace, "GET", "/me", version="2.11", now=NOW).headers == (
        ("x-request-id", "request-1"),
        ("intercom-version", "2.11"),
        ("X-RateLimit-Limit", "167"),
        ("X-RateLimit-Remaining", "166"),
        ("X-RateLimit-Reset", "1700000010"),
    )


def test_rate_headers_may_be_absent(ask: Ask) -> None:
    answer = ask(Workspace(SandboxSettings(rate_limit=167, rate_headers=False)), "GET", "/me")
    assert [name for name, _ in answer.headers] == ["x-request-id", "intercom-version"]


def test_call_over_the_rate_limit_has_no_effect(ask: Ask, refusal: Refusal) -> None:
    workspace = Workspace(SandboxSettings(rate_limit=1))
    assert ask(workspace, "POST", "/contacts", {"external_id": "7"}, now=NOW).status == 200
    refused = ask(workspace, "POST", "/contacts", {"external_id": "8"}, now=NOW)
    assert refusal(refused) == (429, "rate_limit_exceeded", "Exceeded rate limit of 1 in 10_seconds")
    assert dict(refused.headers)["X-RateLimit-Remaining"] == "0"
    assert len(workspace.contacts.all()) == 1
    assert ask(workspace, "POST", "/contacts", {"external_id": "8"}, now=NOW + 10).status == 200


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic sandbox-token", "sandbox-token"])
def test_call_without_a_valid_token_is_401_and_costs_nothing(
    workspace: Workspace, ask: Ask, refusal: Refusal, authorization: str | None
) -> None:
    refused = ask(workspace, "GET", "/me", headers={"Authorization": authorization})
    assert refusal(refused) == (401, "unauthorized", "Access Token Invalid")
    assert [name for name, _ in refused.headers] == ["x-request-id"]
    assert not refused.illegal


@pytest.mark.parametrize(
    "headers",
    [{"Accept": None}, {"Accept": "text/html"}, {"Content-Type": None}, {"Content-Type": "application/x-www-form"}],
)
def test_body_that_is_not_json_is_406(
    workspace: Workspace, ask: Ask, refusal: Refusal, headers: dict[str, str | None]
) -> None:
    refused = ask(workspace, "POST", "/contacts", {"external_id": "7"}, headers=headers)
    assert refusal(refused)[:2] == (406, "media_type_not_acceptable")
    assert refused.illegal


@pytest.mark.parametrize("version", ["2.7", "2.10", "2.16"])
def test_published_versions_are_supported(workspace: Workspace, ask: Ask, version: str) -> None:
    assert ask(workspace, "GET", "/me", version=version).status == 200


@pytest.mark.parametrize("version", ["2.6", "2.99", "16", "Unstable", ""])
def test_unpublished_version_is_invalid(workspace: Workspace, ask: Ask, refusal: Refusal, version: str) -> None:
    refused = ask(workspace, "GET", "/me", version=version)
    assert refusal(refused)[:2] == (400, "intercom_version_invalid")
    assert refused.illegal


def test_call_without_a_version_gets_that_of_the_app(ask: Ask) -> None:
    workspace = Workspace(SandboxSettings(version_default="2.12"))
    answer = ask(workspace, "GET", "/me", headers={"Intercom-Version": None})
    assert dict(answer.headers)["intercom-version"] == "2.12"


def test_version_without_a_number_is_the_newest(ask: Ask) -> None:
    workspace = Workspace(SandboxSettings(versions=("Preview",)))
    found = ask(workspace, "GET", "/contacts/find_by_external_id/7", version="Preview")
    assert found.status == 404
    assert not found.illegal


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/users", 404),
        ("GET", "/", 404),
        ("POST", "/contacts/", 404),
        ("POST", "/events/bulk", 404),
        ("POST", "/contacts/1/2/archive", 404),
        ("PATCH", "/contacts/1", 405),
        ("GET", "/events", 405),
        ("PUT", "/events", 405),
        ("DELETE", "/contacts", 405),
        ("POST", "/contacts/1", 405),
        ("POST", "/me", 405),
    ],
)
def test_call_outside_the_api_is_illegal(
    workspace: Workspace, ask: Ask, refusal: Refusal, method: str, path: str, status: int
) -> None:
    refused = ask(workspace, method, path)
    assert refusal(refused)[0] == status
    assert refused.illegal


@pytest.mark.parametrize("target", ["/me?a=1", "/data_attributes?model=contact&page=2", "/contacts/1?expand"])
def test_unknown_query_parameter_is_illegal(workspace: Workspace, ask: Ask, refusal: Refusal, target: str) -> None:
    refused = ask(workspace, "GET", target)
    assert refusal(refused)[:2] == (400, "parameter_invalid")
    assert refused.illegal


def test_body_beyond_the_limit_is_too_large(ask: Ask, refusal: Refusal) -> None:
    workspace = Workspace(SandboxSettings(request_bytes_max=100))
    assert refusal(ask(workspace, "POST", "/contacts", {"external_id": "x" * 100}))[0] == 413


@pytest.mark.parametrize(
    ("path", "version", "known", "argument"),
    [
        ("/contacts/find_by_external_id/a%2Fb%20c", (2, 13), True, "a/b c"),
        ("/contacts/find_by_external_id/7", (2, 12), False, ""),
        ("/contacts/abc/unarchive", (2, 7), True, "abc"),
        ("/contacts/search", (2, 7), True, ""),
        ("/nothing", (2, 16), False, ""),
    ],
)
def test_route_is_found_with_its_path_parameter(
    path: str, version: tuple[int, ...], known: bool, argument: str
) -> None:
    methods, found = find_route(path, version)
    assert (bool(methods), found) == (known, argument)


@pytest.mark.parametrize(("status", "remaining"), [(503, "166"), (429, "0")])
def test_response_of_a_fault_has_the_same_headers(status: int, remaining: str) -> None:
    workspace = Workspace(SandboxSettings(rate_limit=167, recorded=NONE))
    headers = faulty_headers(workspace, ReceivedRequest("GET", "/me", "", {}, b""), "r1", status, NOW)
    assert [name for name, _ in headers] == ["x-request-id", "intercom-version", *RATE_NAMES]
    assert dict(headers)["X-RateLimit-Remaining"] == remaining
