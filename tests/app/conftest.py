"""Settings as a user writes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemons.process import write_settings
from intercomd_daemon import config


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., config.Settings]:
    """Settings with these tables, in front of a sandbox."""

    def loaded(base_url: str, **tables: Any) -> config.Settings:  # noqa: ANN401 - tables of settings
        return config.load(str(write_settings(tmp_path, base_url, tables)), {}).settings

    return loaded
