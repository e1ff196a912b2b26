"""Structs to keys and back, by a small schema."""

from typing import Annotated

import msgspec
import pytest

from intercomd_daemon.config.setting_keys import build, keys_of, nearest, values_of
from intercomd_daemon.setting import kinds


class Inner(msgspec.Struct, frozen=True):
    share: Annotated[float, kinds.share()] = 1.0


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    wait_seconds: Annotated[float, kinds.duration(0.0, 60.0)] = msgspec.field(default=1.0, name="wait")
    rate: Inner = Inner()


def test_key_is_a_dotted_path_of_a_field_with_a_kind() -> None:
    assert list(keys_of(Outer)) == ["wait", "rate.share"]
    assert list(keys_of(Outer, "x.")) == ["x.wait", "x.rate.share"]


def test_section_is_built_of_the_values_below_its_prefix() -> None:
    values = {"x.wait": 5.0, "x.rate.share": 0.5, "wait": 7.0}
    assert build(Outer, values, "x.", name="x") == Outer(name="x", wait_seconds=5.0, rate=Inner(share=0.5))


def test_absent_value_has_its_default() -> None:
    assert build(Outer, {}) == Outer()


def test_values_of_a_section_are_shown_as_toml_has_them() -> None:
    assert list(values_of(Outer(), "x.")) == [("x.wait", '"1s"'), ("x.rate.share", "1.0")]


@pytest.mark.parametrize(
    ("name", "found"),
    [("wiat", "wait"), ("share", "rate.share"), ("rates", "rate"), ("zzz", "")],
)
def test_nearest_name_in_the_same_section_comes_first(name: str, found: str) -> None:
    assert nearest(name, ["wait", "rate"], keys_of(Outer)) == found
