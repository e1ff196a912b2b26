"""Derives the files that a power cut leaves: one state, drawn at random, of all that the disk may be left in.

What was synced is there. Each other write is there, is missing, or has some of its sectors, independently of the writes
before and after it. Each file is as it was before or after any creation or deletion since its folder was synced. What a
failed sync should have secured is never certain: operating systems take it for written.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

from disk.faulty import Kind, Operation

SECTOR_BYTES = 512
"""A disk writes a sector as a whole or not at all; what SQLite trusts in too, as "powersafe overwrite"."""

Life = int
"""Of a file: a name that is deleted and made again is another one."""


def power_cut(operations: Sequence[Operation], chance: random.Random) -> dict[str, bytes]:
    """Returns the files after these operations and a power cut."""
    lives = list(_lives(operations))
    sure = _sure(operations, lives)
    names = _names(operations, lives, sure, chance)
    contents = {life: bytearray() for life in names.values()}
    kept = chance.random()
    for place, (operation, life) in enumerate(zip(operations, lives, strict=True)):
        if life not in contents:
            continue
        if operation.kind is Kind.TRUNCATE and (place in sure or chance.random() < kept):
            _resize(contents[life], operation.offset)
        elif operation.kind is Kind.WRITE:
            for offset, content in _pieces(operation, chance, 1.0 if place in sure else kept):
                _write(contents[life], offset, content)
    return {name: bytes(contents[life]) for name, life in names.items()}


def _lives(operations: Sequence[Operation]) -> Iterator[Life]:
    """For each operation the life of its file: the place of the operation that made it."""
    living: dict[str, Life] = {}
    for place, operation in enumerate(operations):
        if operation.kind is Kind.CREATE:
            living[operation.name] = place
        yield living.get(operation.name, -1)


def _sure(operations: Sequence[Operation], lives: Sequence[Life]) -> set[int]:
    """The places of the operations that are on the disk for certain."""
    sure: set[int] = set()
    contents: dict[Life, list[int]] = defaultdict(list)
    names: list[int] = []
    for place, (operation, life) in enumerate(zip(operations, lives, strict=True)):
        match operation.kind:
            case Kind.WRITE | Kind.TRUNCATE:
                contents[life].append(place)
            case Kind.CREATE | Kind.DELETE:
                names.append(place)
            case Kind.SYNC:
                synced = contents.pop(life, [])
                sure.update(() if operation.failed else synced)
            case Kind.SYNC_FOLDER:
                sure.update(names)
                names.clear()
    return sure


def _names(
    operations: Sequence[Operation], lives: Sequence[Life], sure: set[int], chance: random.Random
) -> dict[str, Life]:
    """The files that are there, with the lives whose content they have; the names change independently."""
    changes: dict[str, list[int]] = defaultdict(list)
    for place, operation in enumerate(operations):
        if operation.kind is Kind.CREATE or operation.kind is Kind.DELETE:
            changes[operation.name].append(place)
    there: dict[str, Life] = {}
    for name, places in changes.items():
        certain = sum(place in sure for place in places)
        done = chance.randint(certain, len(places))
        if done and operations[places[done - 1]].kind is Kind.CREATE:
            there[name] = lives[places[done - 1]]
    return there


def _pieces(operation: Operation, chance: random.Random, kept: float) -> Iterator[tuple[int, bytes]]:
    """What of a write is there, by offset."""
    if chance.random() < kept:
        yield operation.offset, operation.content
    elif chance.random() < 0.5:
        start, end = operation.offset, operation.offset + len(operation.content)
        while start < end:
            following = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
            if chance.random() < 0.5:
                yield start, operation.content[start - operation.offset : following - operation.offset]
            start = following


def _resize(file: bytearray, size: int) -> None:
    del file[size:]
    file.extend(bytes(size - len(file)))


def _write(file: bytearray, offset: int, content: bytes) -> None:
    if len(file) < offset:
        file.extend(bytes(offset - len(file)))
    file[offset : offset + len(content)] = content
