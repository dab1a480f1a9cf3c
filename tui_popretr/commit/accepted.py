"""Recipients that have accepted messages that other recipients refused."""

from __future__ import annotations

from collections.abc import Iterable

from tui_popretr.journal.records import Acceptance
from tui_popretr.mail.identity import Identity


class AcceptedRecipients:
    """The journal's acceptances, for one connection."""

    def __init__(self, acceptances: Iterable[Acceptance] = ()) -> None:
        self._left = list(acceptances)

    def take(self, uid: str | None, identity: Identity) -> list[str]:
        """Remove and return the recipients that have this message. A second, identical message goes to all again."""
        found: dict[str, Acceptance] = {}
        for each in self._left:
            if each.uid == uid and each.identity.same_as(identity):
                found.setdefault(each.address.lower(), each)
        for each in found.values():
            self._left.remove(each)
        return [each.address for each in found.values()]
