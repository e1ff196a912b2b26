"""Files with the tokens of callers: one on each line, read again when a file changes."""

from collections.abc import Mapping

from intercomd_daemon.rpc.callers import TOKEN_CHARACTERS_MIN, hash_of
from intercomd_daemon.rpc.settings import CallerSettings
from intercomd_daemon.watched_file import FileUnusable, WatchedFile

FILE_BYTES_MAX = 64 << 10
"""Size of a file: more than a thousand tokens; two are enough while they are rotated."""


class TokenFiles:
    """The token files of all callers. `load` reads them; call it before anything else."""

    def __init__(self, callers: Mapping[str, CallerSettings]) -> None:
        """Callers without a file are left out."""
        self._files = {
            name: WatchedFile(caller.token_file, FILE_BYTES_MAX)
            for name, caller in callers.items()
            if caller.token_file
        }
        # A token is in one place only, also where that is the settings.
        self._others = {token_hash: name for name, caller in callers.items() for token_hash in caller.token_sha256}
        self.hashes: dict[str, tuple[str, ...]] = {}
        """The hashes of the tokens by caller."""
        self.problem = ""
        """Why a current file is not in use, with the fix; empty if all are."""

    @property
    def any(self) -> bool:
        """Whether a caller has a file."""
        return bool(self._files)

    def load(self) -> None:
        """Reads the files.

        Raises:
            FileUnusable: a file is missing or invalid.
        """
        self.refresh()
        if self.problem:
            raise FileUnusable(self.problem)

    def refresh(self) -> bool:
        """Reads files again that have changed; returns whether other tokens are valid now.

        Where a file cannot be used, its previous tokens stay valid.
        """
        if not any(file.changed() for file in self._files.values()):
            return False
        problems: list[str] = []
        hashes: dict[str, tuple[str, ...]] = {}
        for name, file in self._files.items():
            try:
                hashes[name] = self._read(name, file, hashes)
            except FileUnusable as error:
                problems.append(f"callers.{name}.token_file: {error}")
                hashes[name] = self.hashes.get(name, ())
        self.problem = "; ".join(problems)
        changed, self.hashes = hashes != self.hashes, hashes
        return changed

    def _read(self, name: str, file: WatchedFile, others: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        try:
            lines = file.read().decode("ascii").splitlines()
        except UnicodeDecodeError as error:
            raise FileUnusable(f"{file.path} is not ASCII text: it must hold one token on each line") from error
        hashes: list[str] = []
        for number, line in enumerate(lines, 1):
            token = line.strip()
            if not token:
                continue
            token_hash = hash_of(token)
            if not token_hash or not all("!" <= character <= "~" for character in token):
                message = f"line {number} of {file.path} is not a token of {TOKEN_CHARACTERS_MIN} or more characters"
                raise FileUnusable(f"{message} without spaces; `intercomd token` makes one")
            owner = self._others.get(token_hash) or next(
                (it for it, known in others.items() if token_hash in known), ""
            )
            if owner and owner != name:
                raise FileUnusable(f"line {number} of {file.path} is a token of caller {owner} too; remove one of them")
            hashes.append(token_hash)
        return tuple(hashes)
