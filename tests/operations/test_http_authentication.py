"""Credentials of HTTP requests; `tests/app/test_security_access.py` walks all pages and credentials."""

import aiohttp
import pytest
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response

from intercomd_daemon.operations.http import listen_http
from intercomd_daemon.operations.http_authentication import authentication
from intercomd_daemon.rpc.authentication import Authenticator, Guard
from intercomd_daemon.rpc.callers import ANYONE, CERTIFICATE_HOLDER, Caller, Callers, hash_of
from intercomd_daemon.rpc.settings import CallerSettings

TOKEN = "t" * 32
SHOP = CallerSettings(name="shop", token_sha256=(hash_of(TOKEN),), operations="status")


@pytest.mark.parametrize(
    ("callers", "anyone", "headers", "status"),
    [
        ({}, ANYONE, {}, 200),
        ({}, CERTIFICATE_HOLDER, {}, 403),
        ({}, ANYONE, {"Authorization": "Bearer whatever"}, 200),
        ({"shop": SHOP}, ANYONE, {}, 401),
        ({"shop": SHOP}, ANYONE, {"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"shop": SHOP}, ANYONE, {"Authorization": f"bearer {TOKEN}"}, 200),
        ({"shop": SHOP}, ANYONE, {"Authorization": TOKEN}, 401),
    ],
)
async def test_page_needs_a_credential_once_there_are_callers(
    callers: dict[str, CallerSettings], anyone: Caller, headers: dict[str, str], status: int
) -> None:
    async def hello(_request: BaseRequest) -> Response:
        return Response(text="hello")

    authenticate = authentication(Authenticator(Callers(callers, {})), Guard(anyone))
    listener = await listen_http(authenticate(hello), ["127.0.0.1:0"])
    url = f"http://{listener.addresses[0]}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        assert response.status == status
    await listener.close()
