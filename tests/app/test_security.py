"""What guards the listeners: which parts there are, and when their files are read again."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from intercomd_daemon import config
from intercomd_daemon.app.security import Security
from intercomd_daemon.rpc.callers import ANYONE, CERTIFICATE_HOLDER
from intercomd_daemon.telemetry.log_stream import LogStream
from intercomd_daemon.telemetry.logs import set_up
from intercomd_daemon.watched_file import FileUnusable
from tls.certificates import Files


@pytest.fixture
def secured(load: Callable[..., config.Settings]) -> Callable[..., Security]:
    def made(**tables: object) -> Security:
        settings = load("http://127.0.0.1:1", **tables)
        return Security(settings, set_up(settings.log, LogStream()).logger, lambda *_: None)

    return made


def test_security_without_settings_is_plain_text_for_anyone(secured: Callable[..., Security]) -> None:
    security = secured()
    security.load()
    assert (security.ingest.tls, security.operations.tls) == (None, None)
    assert not security.ingest.authenticator.required
    assert security.http_guard.caller is ANYONE


async def test_changed_files_are_in_use_soon(secured: Callable[..., Security], tmp_path: Path) -> None:
    files = Files(tmp_path)
    security = secured(operations={"tls": files.table})
    security.load()
    assert security.ingest.tls is None
    tls = security.operations.tls
    assert tls is not None
    context = tls.context
    watch = asyncio.create_task(security.watch())
    files.write_pair()
    async with asyncio.timeout(60):
        while tls.context is context:
            await asyncio.wait({watch}, timeout=0.01)
    watch.cancel()


def test_missing_file_is_named(secured: Callable[..., Security], tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.certificate.unlink()
    with pytest.raises(FileUnusable, match=f"{files.certificate}: No such file"):
        secured(ingest={"tls": files.table}).load()


def test_reload_uses_other_files_callers_and_consent(
    secured: Callable[..., Security], load: Callable[..., config.Settings], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    files, other = Files(tmp_path), Files(tmp_path / "other")
    for each in (files, other):
        each.write_client_ca(each.ca)
    security = secured(operations={"tls": files.table})
    security.load()
    assert security.operations.guard.caller is security.http_guard.caller is CERTIFICATE_HOLDER
    tls = security.operations.tls
    assert tls is not None
    context = tls.context
    callers = {"shop": {"token_sha256": ["a" * 64]}}
    tables = {"operations": {"tls": other.table, "insecure": True}, "callers": callers}
    apply = security.reconfigure(load("http://127.0.0.1:1", **tables))
    assert (tls.context, security.operations.authenticator.required) == (context, False)
    apply()
    assert tls.context is not context
    assert security.operations.guard.caller is security.http_guard.caller is ANYONE
    assert security.operations.authenticator.required
    other.key.unlink()
    with pytest.raises(FileUnusable, match=r"operations\.tls: .*: No such file or directory; put it there"):
        security.reconfigure(load("http://127.0.0.1:1", **tables))
