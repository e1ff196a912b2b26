"""The result of the response of `GET /me`, as a table."""

import msgspec
import pytest

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.access import (
    NAME_CHARACTERS_MAX,
    Access,
    Grant,
    next_probe_seconds,
    read_access,
    remedy_of,
)
from intercomd_daemon.deliver.intercom.messages import Response


def me(app: object = None) -> Response:
    return Response(200, msgspec.json.encode({"type": "admin", "id": "1", "app": app}))


def app(id_code: str | None = "abc", region: object = "US", name: object = "Shop") -> Response:
    return me({"id_code": id_code, "region": region, "name": name})


def refusal(status: int, code: str | None) -> Response:
    return Response(status, msgspec.json.encode({"type": "error.list", "errors": [{"code": code}]}))


@pytest.mark.parametrize(
    ("answer", "grant", "reason"),
    [
        (app(), Grant.GRANTED, ""),
        (app(region=None), Grant.GRANTED, ""),
        (app(name=None), Grant.GRANTED, ""),
        (app(name=5), Grant.GRANTED, ""),
        (app("xyz"), Grant.SUSPENDED, "APP_ID_MISMATCH"),
        (app("xyz", name=5, region=["us"]), Grant.SUSPENDED, "APP_ID_MISMATCH"),
        (app(region="EU"), Grant.SUSPENDED, "REGION_MISMATCH"),
        # Without an app, or if it may not be read: warn and deliver.
        (me(), Grant.GRANTED, "ACCESS_UNVERIFIED"),
        (app(None), Grant.GRANTED, "ACCESS_UNVERIFIED"),
        (me([1]), Grant.GRANTED, "ACCESS_UNVERIFIED"),
        # JSON that is not an admin does not come from Intercom.
        (Response(200, b"<html>"), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(200, b"\xff"), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(200, b'{"app":' + b"[" * 100_000), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(200), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(200, b'{"type":"contact","id":"c1"}'), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(200, b'{"status":"ok"}'), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(204), Grant.SUSPENDED, "NOT_INTERCOM"),
        (refusal(200, "server_error"), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(302, b"<html>"), Grant.SUSPENDED, "NOT_INTERCOM"),
        *((Response(status, b"<html>"), Grant.SUSPENDED, "NOT_INTERCOM") for status in (400, 401, 403, 404, 405, 451)),
        *((Response(status), Grant.SUSPENDED, "NOT_INTERCOM") for status in (407, 421, 431)),
        (Response(400, b'{"message":"no route"}'), Grant.SUSPENDED, "NOT_INTERCOM"),
        (refusal(403, "not_allowed"), Grant.GRANTED, "ACCESS_UNVERIFIED"),
        (refusal(403, None), Grant.GRANTED, "ACCESS_UNVERIFIED"),
        (Response(403), Grant.GRANTED, "ACCESS_UNVERIFIED"),
        (Response(403, b'{"errors":null}'), Grant.GRANTED, "ACCESS_UNVERIFIED"),
        (refusal(404, "not_found"), Grant.GRANTED, "ACCESS_UNVERIFIED"),
        # Intercom's refusals have a code. Access that another server's empty 405 grants would end all that waits.
        *((Response(status), Grant.SUSPENDED, "NOT_INTERCOM") for status in (400, 404, 405, 410, 413, 418, 422, 451)),
        (refusal(404, None), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(400, b'{"errors":["Bad Request"]}'), Grant.SUSPENDED, "NOT_INTERCOM"),
        (Response(404, b" \r\n"), Grant.SUSPENDED, "NOT_INTERCOM"),
        # Our configuration is wrong.
        (refusal(401, "unauthorized"), Grant.SUSPENDED, "UNAUTHORIZED"),
        (Response(401), Grant.SUSPENDED, "UNAUTHORIZED"),
        (Response(402), Grant.SUSPENDED, "PLAN_RESTRICTED"),
        (refusal(403, "token_revoked"), Grant.SUSPENDED, "FORBIDDEN"),
        (refusal(403, "api_plan_restricted"), Grant.SUSPENDED, "FORBIDDEN"),
        (refusal(400, "intercom_version_invalid"), Grant.SUSPENDED, "VERSION_INVALID"),
        # Nothing is known yet.
        (Response(503), Grant.UNKNOWN, "HTTP_503"),
        (Response(502, b"<html>"), Grant.UNKNOWN, "HTTP_502"),
        (Response(429), Grant.UNKNOWN, "RATE_LIMITED"),
        (Response(0, failure="no response in time"), Grant.UNKNOWN, "NETWORK"),
    ],
)
def test_response_to_get_me_grants_or_suspends_access(answer: Response, grant: Grant, reason: str) -> None:
    access = read_access(answer, ConnectionSettings(name="main", app_id="abc"))
    assert (access.grant, access.reason) == (grant, reason)
    assert bool(access.message) is bool(reason)


def test_workspace_name_cannot_steer_a_terminal() -> None:
    access = read_access(
        app(name="\x1b[2JShop\n\u202e", region="US\x07"), ConnectionSettings(name="main", base_url="x")
    )
    assert (access.workspace_name, access.region) == (" [2JShop  ", "us ")


def test_control_characters_of_the_app_id_do_not_reach_a_terminal() -> None:
    access = read_access(app(id_code="\x1b[2Jother\n\u202e"), ConnectionSettings(name="main", app_id="mine"))
    assert access.reason == "APP_ID_MISMATCH"
    assert access.message.isprintable()


def test_workspace_and_region_are_read() -> None:
    assert read_access(app(), ConnectionSettings(name="main")) == Access(Grant.GRANTED, "", "", "Shop", "us")


@pytest.mark.parametrize(
    ("answer", "settings"),
    [
        (app("xyz"), ConnectionSettings(name="main", app_id="abc", verify_app_id=False)),
        (app("xyz"), ConnectionSettings(name="main", app_id="")),
        (app(region="EU"), ConnectionSettings(name="main", region="eu")),
        # Another host may stand before any region.
        (app(region="EU"), ConnectionSettings(name="main", base_url="http://127.0.0.1:1")),
    ],
)
def test_app_id_and_region_are_compared_by_setting(answer: Response, settings: ConnectionSettings) -> None:
    assert read_access(answer, settings).grant is Grant.GRANTED


def test_message_names_the_failure_or_both_sides_of_a_mismatch() -> None:
    settings = ConnectionSettings(name="main", app_id="abc")
    assert read_access(Response(0, failure="no response in time"), settings).message == "no response in time"
    assert read_access(Response(503), settings).message == "GET /me returned 503"
    mismatch = read_access(app("xyz"), settings).message
    assert "xyz" in mismatch
    assert "abc" in mismatch


def test_every_suspension_has_a_remedy() -> None:
    remedies = {
        remedy_of(reason) for reason in ("UNAUTHORIZED", "PLAN_RESTRICTED", "FORBIDDEN", "VERSION_INVALID", "?")
    }
    assert len(remedies) == 5


@pytest.mark.fills("deliver.intercom.access.PROBE_CAP_SECONDS")
def test_probes_come_from_5_seconds_to_5_minutes() -> None:
    waits = [next_probe_seconds(0.0)]
    while len(waits) < 9:
        waits.append(next_probe_seconds(waits[-1]))
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.fills("deliver.intercom.access.NAME_CHARACTERS_MAX")
def test_workspace_name_is_cut_at_the_limit() -> None:
    long = "x" * 100_000
    body = msgspec.json.encode({"type": "admin", "app": {"id_code": "abc", "name": long, "region": long}})
    settings = ConnectionSettings(name="main", app_id="abc", base_url="http://there")
    access = read_access(Response(200, body), settings)
    assert (len(access.workspace_name), len(access.region)) == (NAME_CHARACTERS_MAX, NAME_CHARACTERS_MAX)
    body = msgspec.json.encode({"type": "admin", "app": {"id_code": long, "name": long, "region": long}})
    assert len(read_access(Response(200, body), settings).message) < 1_000
