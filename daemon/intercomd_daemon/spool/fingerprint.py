"""The fingerprint of a text, by which the trail finds waiting rows: another text may have the same one."""

from zlib import crc32


def fingerprint(text: str) -> int:
    """Returns 32 bits of a text as a signed number, which databases store in four bytes."""
    return crc32(text.encode()) - (1 << 31)
