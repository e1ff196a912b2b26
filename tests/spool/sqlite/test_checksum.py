import pytest

from intercomd_daemon.spool.sqlite.checksum import row_checksum


def test_equal_values_have_equal_checksums() -> None:
    assert row_checksum(1 << 60, "c:ann", b"\x00", 1.5, None) == row_checksum(1 << 60, "c:ann", b"\x00", 1.5, None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "c:ann"), (2, "c:ann")),
        ((1, "c:ann"), (1, "c:anm")),
        (("ab", "c"), ("a", "bc")),
        ((1,), (1.0,)),
        (("x",), (b"x",)),
        ((1, 2), (2, 1)),
        ((1,), (1, None)),
        ((1,), (1 + (1 << 62),)),
    ],
)
def test_different_values_have_different_checksums(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    assert row_checksum(*one) != row_checksum(*other)
