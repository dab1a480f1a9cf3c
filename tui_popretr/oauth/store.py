"""The token files: FOLDER/KEY.json, a private file in a private folder. All methods block.

**Writing.** A file is written under another name, fsynced and renamed, so that after a crash it holds the tokens from
before or those from after, and never a part of them.

**The lock** KEY.lock is held while tokens are renewed or replaced, so that two processes never renew the same token: a
provider may take the second use of a refresh token for a theft, and end the grant. Reading needs no lock. If the file
system has no locks, two processes may renew at once.

**Damage.** What is not a token file is renamed to KEY.damaged, under the lock, and the user has to log in again.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from tui_popretr.errors import TokenFileDamaged, TokenFileFromFuture, TokenFileUnusable, file_unusable
from tui_popretr.fs.folders import fsync_folder, fsync_parent, make_private_folders
from tui_popretr.fs.locks import NoLocksError, lock
from tui_popretr.fs.reading import open_regular
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret
from tui_popretr.text import visible

__all__ = ["TokenStore", "Tokens"]

_VERSION: Final = 1
_LARGEST: Final = 1024 * 1024
_LATEST: Final = 2.5e11  # epoch seconds, before the year 10000, where datetime ends
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Damaged(Exception):
    """The content is not that of a token file."""


class Newer(Exception):
    """The file was written by a newer version."""


@dataclass(frozen=True, slots=True)
class TokenStore:
    """The token files of one folder. Raises TokenFileUnusable, TokenFileDamaged, TokenFileFromFuture."""

    folder: str

    def path(self, key: str) -> str:
        """Return the path of a token file."""
        return os.path.join(self.folder, f"{key}.json")

    def load(self, key: str, *, locked: bool = False) -> Tokens | None:
        """Return the tokens, None if there are none. `locked`: the caller holds the lock."""
        try:
            return self._read(key)
        except Damaged:
            pass
        if locked:
            return self._set_aside(key)
        try:
            with self.locked(key):
                return self._set_aside(key)
        except BlockingIOError:
            raise TokenFileDamaged(f"the token file {self._shown(key)} is damaged") from None

    def save(self, key: str, tokens: Tokens) -> None:
        """Replace the tokens, durably. The caller holds the lock. If it fails, the file has either."""
        data = json.dumps(_fields(tokens)).encode()
        unfinished = os.path.join(self.folder, f".{key}.tmp")
        try:
            self._make_folder()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished)  # of a process that was killed
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                with open(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(descriptor)
                os.rename(unfinished, self.path(key))
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(unfinished)
                raise
            fsync_folder(self.folder)
        except OSError as problem:
            raise self._unusable(key, "written", problem) from problem

    def forget(self, key: str) -> None:
        """Remove the tokens, durably. The caller holds the lock."""
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(key))
                fsync_folder(self.folder)
        except OSError as problem:
            raise self._unusable(key, "removed", problem) from problem

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the lock of a token file. Raises as lock()."""
        descriptor = self.lock(key)
        try:
            yield
        finally:
            os.close(descriptor)

    def lock(self, key: str) -> int:
        """Take the lock of a token file; return a descriptor that holds it until it is closed.

        Raises BlockingIOError at once if another holds it, also in this process.
        """
        try:
            self._make_folder()
            path = os.path.join(self.folder, f"{key}.lock")
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as problem:
            raise self._unusable(key, "locked", problem) from problem
        try:
            with contextlib.suppress(NoLocksError):
                lock(descriptor)
        except BaseException as problem:
            os.close(descriptor)
            if isinstance(problem, OSError) and not isinstance(problem, BlockingIOError):
                raise self._unusable(key, "locked", problem) from problem
            raise
        return descriptor

    def _make_folder(self) -> None:
        """Make the folder and make it private. Raises OSError, TokenFileUnusable."""
        new = not os.path.isdir(self.folder)
        make_private_folders(self.folder, durable=True)
        if new:
            fsync_parent(self.folder)
        status = os.stat(self.folder)
        if status.st_uid != os.geteuid():
            raise TokenFileUnusable(
                f"the folder of the tokens, {visible(self.folder, 4096)}, belongs to another user",
                advice="run the program as that user, or give the folder to this one (chown)",
            )
        if status.st_mode & _OTHERS:
            os.chmod(self.folder, 0o700)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read(self, key: str) -> Tokens | None:
        """Raises Damaged."""
        try:
            with open_regular(self.path(key)) as file:
                status = os.fstat(file.fileno())
                if status.st_uid != os.geteuid():
                    raise TokenFileUnusable(
                        f"the token file {self._shown(key)} belongs to another user",
                        advice="run the program as that user, or give the file to this one (chown)",
                    )
                if status.st_mode & _OTHERS:
                    os.fchmod(file.fileno(), 0o600)
                data = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise self._unusable(key, "read", problem) from problem
        try:
            return parse(data)
        except Newer:
            raise TokenFileFromFuture(f"the token file {self._shown(key)} was written by a newer version") from None

    def _set_aside(self, key: str) -> Tokens | None:
        """Rename a damaged file. Another process may have replaced it meanwhile: then its tokens are returned."""
        try:
            return self._read(key)
        except Damaged:
            pass
        aside = os.path.join(self.folder, f"{key}.damaged")
        try:
            os.rename(self.path(key), aside)
            fsync_folder(self.folder)
        except OSError as problem:
            raise self._unusable(key, "renamed, although it is damaged", problem) from problem
        raise TokenFileDamaged(f"the token file {self._shown(key)} was damaged and is now {visible(aside, 4096)}")

    def _shown(self, key: str) -> str:
        return visible(self.path(key), 4096)

    def _unusable(self, key: str, what: str, problem: OSError) -> TokenFileUnusable:
        words = file_unusable(problem)
        return TokenFileUnusable(
            f"the token file {self._shown(key)} cannot be {what}: {words.words}", advice=words.advice
        )


def _fields(tokens: Tokens) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "access": tokens.access.reveal(),
        "refresh": tokens.refresh.reveal() if tokens.refresh else None,
        "expires": tokens.expires,
        "scopes": list(tokens.scopes),
        "account": tokens.account,
        "obtained": tokens.obtained,
    }


def parse(data: bytes) -> Tokens:
    """Return the tokens of a file. Raises Damaged."""
    try:
        fields = json.loads(data) if len(data) <= _LARGEST else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("version"), int):
        raise Damaged
    if fields["version"] > _VERSION:
        raise Newer
    access, refresh, scopes = fields.get("access"), fields.get("refresh"), fields.get("scopes")
    account, expires, obtained = fields.get("account"), fields.get("expires"), fields.get("obtained")
    if not (
        _is_token(access)
        and (refresh is None or _is_token(refresh))
        and isinstance(account, str)
        and isinstance(scopes, list)
        and all(isinstance(each, str) for each in scopes)
        and _is_time(obtained)
        and (expires is None or _is_time(expires))
    ):
        raise Damaged
    return Tokens(Secret(access), Secret(refresh) if refresh else None, expires, tuple(scopes), account, obtained)


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable()


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LATEST
