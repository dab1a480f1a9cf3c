"""Files and folders given to a system user (virtualusers="N")."""

from __future__ import annotations

import os
import pwd
from functools import cached_property

from tui_popretr.errors import ConfigurationError


class Owner:
    """A system user, looked up on first use (the look-up may use the network)."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def _ids(self) -> tuple[int, int]:
        try:
            entry = pwd.getpwnam(self.name)
        except KeyError:
            raise ConfigurationError(
                f'there is no system user {self.name}, who is to own the mail (virtualusers="N")',
                advice='name a system user in recip, or set virtualusers="Y"',
            ) from None
        return entry.pw_uid, entry.pw_gid

    def give(self, descriptor: int) -> None:
        """Give an open file or folder to the user and the user's group. Raises OSError, ConfigurationError."""
        os.fchown(descriptor, *self._ids)
