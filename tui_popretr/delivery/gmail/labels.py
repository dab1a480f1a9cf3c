"""The labels of messages: found by their names, and made if they do not exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui_popretr.config.model import GmailDestination
from tui_popretr.delivery.gmail.api import (
    INBOX,
    JSON_TYPE,
    LABELS_PATH,
    UNREAD,
    NotUnderstood,
    identifier_of,
    labels_of,
    new_label,
)
from tui_popretr.delivery.gmail.client import GmailClient
from tui_popretr.errors import GmailUnusable
from tui_popretr.facts import Direction
from tui_popretr.text import visible

_CONFLICT = 409


def missing(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the names that no label has. Gmail does not distinguish their case."""
    present = {each.casefold() for each in known}
    return [name for name in names if name.casefold() not in present]


async def list_labels(client: GmailClient) -> dict[str, str]:
    """Return the ids of the account's labels by their names. Raises DeliveryFailed."""
    what = "list the labels of the account"
    try:
        return labels_of(await client.get(LABELS_PATH, what))
    except NotUnderstood as problem:
        raise client.unclear(problem, what) from None


async def label_ids(client: GmailClient, destination: GmailDestination) -> Sequence[str]:
    """Return the ids of all labels that messages get; make those that are missing. Raises DeliveryFailed."""
    known = await list_labels(client)
    for name in missing(destination.labels, known):
        known |= await _make(client, name)
    ids = {name.casefold(): identifier for name, identifier in known.items()}
    own = (INBOX,) * destination.inbox + (UNREAD,) * destination.unread
    return (*own, *(ids[name.casefold()] for name in destination.labels))


async def _make(client: GmailClient, name: str) -> dict[str, str]:
    """Make a label; return the ids by name of those that are new."""
    what = f"make the label '{visible(name)}'"
    status, fields = await client.post(LABELS_PATH, JSON_TYPE, new_label(name), what, accepts=frozenset({_CONFLICT}))
    if status == _CONFLICT:  # another session has just made it
        known = await list_labels(client)
        if missing((name,), known):
            raise GmailUnusable(f"cannot {what}: Gmail says that it exists, and does not list it")
        return known
    client.say(Direction.EVENT, f"made the label '{visible(name)}'")
    try:
        return {name: identifier_of(fields)}
    except NotUnderstood as problem:
        raise client.unclear(problem, what) from None
