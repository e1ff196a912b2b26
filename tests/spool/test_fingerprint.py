"""Fingerprints of texts."""

from intercomd_daemon.spool.fingerprint import fingerprint


def test_fingerprint_fits_four_bytes_with_a_sign() -> None:
    assert fingerprint("") == -(1 << 31)
    assert all(-(1 << 31) <= fingerprint(text) < 1 << 31 for text in ("a", "ann@example.com", "ü\0"))


def test_fingerprint_may_be_that_of_another_text() -> None:
    assert fingerprint("plumless") == fingerprint("buckeroo")
