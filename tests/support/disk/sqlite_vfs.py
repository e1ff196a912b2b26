"""Puts a disk below SQLite: a VFS in front of SQLite's own, which is the default while the context lasts.

It reports each operation to the disk and fails the calls that the disk chooses. Everything else goes to SQLite's own
methods unchanged. The structures are those of https://sqlite.org/c3ref/vfs.html and
https://sqlite.org/c3ref/io_methods.html.
"""

import _sqlite3
import ctypes
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from functools import cache
from threading import get_ident

from disk.faulty import Disk, Kind

OK = sqlite3.SQLITE_OK
_FOLDER = b"openDirectory"
_CLOSE = CFUNCTYPE(c_int, c_void_p)
_MOVE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_SIZE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
_OPEN_FOLDER = CFUNCTYPE(c_int, c_char_p, c_void_p)


class _Methods(Structure):
    """`sqlite3_io_methods`."""

    _fields_ = (
        ("version", c_int),
        ("close", _CLOSE),
        ("read", _MOVE),
        ("write", _MOVE),
        ("truncate", _SIZE),
        ("sync", _SYNC),
        ("others", c_void_p * 13),  # from xFileSize to xUnfetch, which version 3 added last
    )


class _File(Structure):
    """`sqlite3_file`: SQLite reads its methods here, and what lies behind is its owner's."""

    _fields_ = (("methods", POINTER(_Methods)),)


class _Vfs(Structure):
    """`sqlite3_vfs`."""

    OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
    DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
    SET_CALL = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
    GET_CALL = CFUNCTYPE(c_void_p, c_void_p, c_char_p)
    _fields_ = (
        ("version", c_int),
        ("file_bytes", c_int),
        ("path_max", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", OPEN),
        ("delete", DELETE),
        ("others", c_void_p * 11),  # from xAccess to xCurrentTimeInt64
        ("set_call", SET_CALL),
        ("get_call", GET_CALL),
        ("next_call", c_void_p),
    )


class _Shim:
    """The VFS of the disks. It lives as long as the process, as SQLite keeps pointers to it."""

    def __init__(self) -> None:
        # The very SQLite that the module uses, which may be linked into it.
        self._sqlite = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        self._sqlite.sqlite3_vfs_find.restype = c_void_p
        self._real_pointer = c_void_p(self._sqlite.sqlite3_vfs_find(None))
        self._real = _Vfs.from_address(self._real_pointer.value)
        assert self._real.version == 3
        # The real methods are given the real VFS, or this, which has all of it; and its files as they made them.
        self._vfs = _Vfs.from_buffer_copy(self._real)
        self._vfs.name = b"disk"
        self._vfs.open, self._vfs.delete = _Vfs.OPEN(self._open), _Vfs.DELETE(self._delete)
        self._methods: dict[int, tuple[_Methods, _Methods]] = {}
        """By the place of the real methods: those, and ours."""
        self._files: dict[int, tuple[Disk, str, _Methods]] = {}
        """The open files on disks, by their place."""
        self._synced: set[int] = set()
        """Those that have been synced in truth."""
        # SQLite syncs a folder in two places: with the first sync of a journal that it has made, and after deleting.
        # Both are the real VFS's doing, which asks this for a descriptor before.
        self._real_open_folder = _OPEN_FOLDER(self._real.get_call(self._real_pointer, _FOLDER))
        self._our_open_folder = _OPEN_FOLDER(self._open_folder)
        self._folders_synced: set[int] = set()
        """The threads in which a folder has been synced meanwhile."""
        self._disks: list[Disk] = []

    @contextmanager
    def of(self, disk: Disk) -> Iterator[None]:
        if not self._disks:
            self._sqlite.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
            self._real.set_call(self._real_pointer, _FOLDER, self._our_open_folder)
        self._disks.append(disk)
        try:
            yield
        finally:
            self._disks.remove(disk)
            if not self._disks:
                self._real.set_call(self._real_pointer, _FOLDER, None)
                self._sqlite.sqlite3_vfs_unregister(ctypes.byref(self._vfs))
                self._sqlite.sqlite3_vfs_register(self._real_pointer, 1)
        # Threads of other disks open and close files meanwhile.
        assert not any(opened is disk for opened, _, _ in list(self._files.values()))

    def _place(self, path: str) -> tuple[Disk | None, str]:
        """The disk that a file lies on, and its name there."""
        found = ((disk, disk.name_of(path)) for disk in self._disks)
        return next(((disk, name) for disk, name in found if name), (None, ""))

    def _open(self, _vfs: int, path: int | None, file: int, flags: int, given: int | None) -> int:
        disk, name = self._place(ctypes.string_at(path).decode()) if path else (None, "")
        refusal = disk.refusal(Kind.OPEN, name) if disk else OK
        if refusal:
            _File.from_address(file).methods = None  # "... for the sqlite3_vfs.xOpen to set ... pMethods ... to NULL."
            return refusal
        result: int = self._real.open(self._real_pointer, path, file, flags, given)
        if disk and result == OK:
            disk.opened(name)
            opened = _File.from_address(file)
            real, ours = self._ours(opened.methods)
            opened.methods = ctypes.pointer(ours)
            self._files[file] = disk, name, real
        return result

    def _ours(self, real: "ctypes._Pointer[_Methods]") -> tuple[_Methods, _Methods]:
        place = ctypes.addressof(real.contents)
        if place not in self._methods:
            ours = _Methods.from_buffer_copy(real.contents)
            ours.close, ours.read, ours.write = _CLOSE(self._close), _MOVE(self._read), _MOVE(self._write)
            ours.truncate, ours.sync = _SIZE(self._truncate), _SYNC(self._sync)
            self._methods[place] = real.contents, ours
        return self._methods[place]

    def _close(self, file: int) -> int:
        _, _, real = self._files.pop(file)
        self._synced.discard(file)
        result: int = real.close(file)
        return result

    def _read(self, file: int, content: int, size: int, offset: int) -> int:
        disk, name, real = self._files[file]
        return disk.refusal(Kind.READ, name) or real.read(file, content, size, offset)

    def _write(self, file: int, content: int, size: int, offset: int) -> int:
        """A write that fails has got half way."""
        disk, name, real = self._files[file]
        refusal = disk.refusal(Kind.WRITE, name)
        written = size // 2 if refusal else size
        result: int = real.write(file, content, written, offset)
        assert result == OK
        disk.note(Kind.WRITE, name, offset, ctypes.string_at(content, written))
        return refusal

    def _truncate(self, file: int, size: int) -> int:
        disk, name, real = self._files[file]
        refusal = disk.refusal(Kind.TRUNCATE, name)
        if refusal:
            return refusal
        result: int = real.truncate(file, size)
        assert result == OK
        disk.note(Kind.TRUNCATE, name, size)
        return OK

    def _sync(self, file: int, flags: int) -> int:
        disk, name, real = self._files[file]
        refusal = disk.refusal(Kind.SYNC, name)
        if refusal:
            disk.note(Kind.SYNC, name, failed=True)
            return refusal
        disk.note(Kind.SYNC, name)
        if (
            file not in self._synced
        ):  # Only the first sync of a file may sync its folder; the power cut is only simulated.
            self._folders_synced.discard(get_ident())
            result: int = real.sync(file, flags)
            assert result == OK
            self._synced.add(file)
            self._note_folder(disk)
        return OK

    def _delete(self, _vfs: int, path: bytes, with_folder: int) -> int:
        disk, name = self._place(path.decode())
        refusal = disk.refusal(Kind.DELETE, name) if disk else OK
        if refusal:
            return refusal
        self._folders_synced.discard(get_ident())
        result: int = self._real.delete(self._real_pointer, path, with_folder)
        if disk and result == OK:
            disk.deleted(name)
            self._note_folder(disk)
        return result

    def _open_folder(self, path: bytes, descriptor: int) -> int:
        self._folders_synced.add(get_ident())
        return int(self._real_open_folder(path, descriptor))

    def _note_folder(self, disk: Disk) -> None:
        if get_ident() in self._folders_synced:
            disk.note(Kind.SYNC_FOLDER)


@cache
def _shim() -> _Shim:
    return _Shim()


@contextmanager
def below_sqlite(disk: Disk) -> Iterator[None]:
    """While it lasts, what SQLite opens in the disk's folder lies on it; that must be closed before the end."""
    with _shim().of(disk):
        yield
