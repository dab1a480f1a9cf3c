"""The requests of the Gmail API that this program makes, and the fields of their answers; no I/O.

Google describes them at https://developers.google.com/workspace/gmail/api/reference/rest: users.messages.import, list
and get, users.labels.list and create, users.getProfile. "me" in a path is the account of the access token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from tui_popretr.config.choices import GmailDate
from tui_popretr.config.model import GmailDestination

_USER: Final = "/gmail/v1/users/me"
LABELS_PATH: Final = f"{_USER}/labels"
PROFILE_PATH: Final = f"{_USER}/profile"
JSON_TYPE: Final = "application/json; charset=UTF-8"

#: The labels of Gmail itself that a message may get, by what they mean.
INBOX: Final = "INBOX"
UNREAD: Final = "UNREAD"

_DATES: Final = {GmailDate.HEADER: "dateHeader", GmailDate.RECEIVED: "receivedTime"}
#: Messages that a search returns at most. One is expected.
_FOUND: Final = 20
#: A Message-ID (without angle brackets) that the search takes as one word. Others could be read as operators.
_SEARCHABLE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`|~.@\[\]:-]{1,250}")
#: How far the size of a message in Gmail may be from the size as sent. Gmail calls it an estimate, and adds fields.
_TOLERANCE: Final = 0.05
_ADDED: Final = 512


@dataclass(frozen=True, slots=True)
class Multipart:
    """A request with a description of the message, then the message (multipart/related, RFC 2387)."""

    content_type: str
    before: bytes
    after: bytes


def import_path(destination: GmailDestination) -> str:
    """Return the path and query of users.messages.import."""
    query = {
        "uploadType": "multipart",
        "internalDateSource": _DATES[destination.date],
        "neverMarkSpam": _word(destination.never_spam),
        "processForCalendar": _word(destination.calendar),
        "fields": "id,labelIds",
    }
    return f"/upload{_USER}/messages/import?{urlencode(query)}"


def multipart(label_ids: Iterable[str], boundary: str) -> Multipart:
    """Return what surrounds a message. `boundary` must be random: the message must not have it."""
    description = json.dumps({"labelIds": list(label_ids)})
    before = (
        f"--{boundary}\r\nContent-Type: {JSON_TYPE}\r\n\r\n{description}\r\n"
        f"--{boundary}\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    after = f"\r\n--{boundary}--\r\n"
    return Multipart(f"multipart/related; boundary={boundary}", before.encode(), after.encode())


def new_label(name: str) -> bytes:
    """Return the body that makes a label."""
    return json.dumps({"name": name, "labelListVisibility": "labelShow", "messageListVisibility": "show"}).encode()


def is_searchable(message_id: str | None) -> bool:
    """Whether a message can be found by its Message-ID."""
    return message_id is not None and _SEARCHABLE.fullmatch(message_id) is not None


def search_path(message_id: str) -> str:
    """Return the path and query that find the messages with a Message-ID, also in Spam and Trash."""
    query = {"q": f"rfc822msgid:{message_id}", "includeSpamTrash": "true", "maxResults": str(_FOUND)}
    return f"{_USER}/messages?{urlencode(query, quote_via=quote, safe='')}"


def message_path(identifier: str) -> str:
    """Return the path and query for the size and the Message-ID of a message in Gmail."""
    query = {"format": "metadata", "metadataHeaders": "Message-ID", "fields": "id,sizeEstimate,payload/headers"}
    return f"{_USER}/messages/{quote(identifier, safe='')}?{urlencode(query)}"


def is_same_size(estimate: int, octets: int) -> bool:
    """Whether the size that Gmail gives for a message may be that of one that was sent with `octets`."""
    return abs(estimate - octets) <= max(octets * _TOLERANCE, _ADDED)


# --- answers --------------------------------------------------------------------------------------------------------


class NotUnderstood(Exception):
    """An answer is not one of the Gmail API."""


def fields_of(body: bytes) -> dict[str, Any]:
    """Return the fields of an answer in JSON. Raises NotUnderstood."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise NotUnderstood("its answer is not JSON") from None
    if not isinstance(fields, dict):
        raise NotUnderstood("its answer is not an object of JSON")
    return fields


def identifier_of(fields: dict[str, Any]) -> str:
    """Return the id of a message or label. Raises NotUnderstood."""
    found = fields.get("id")
    if not isinstance(found, str) or not re.fullmatch("[A-Za-z0-9_-]{1,200}", found):
        raise NotUnderstood("its answer has no id")
    return found


def labels_of(fields: dict[str, Any]) -> dict[str, str]:
    """Return the ids of the labels of an account by their names. Raises NotUnderstood."""
    found = fields.get("labels", [])
    if not isinstance(found, list):
        raise NotUnderstood("its answer has no labels")
    named = [each for each in found if isinstance(each, dict) and isinstance(each.get("name"), str)]
    return {each["name"]: identifier_of(each) for each in named}


def found_ids(fields: dict[str, Any]) -> list[str]:
    """Return the ids of the messages that a search has found. Raises NotUnderstood."""
    found = fields.get("messages", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise NotUnderstood("its answer has no list of messages")
    return [identifier_of(each) for each in found]


def is_message(fields: dict[str, Any], message_id: str, octets: int) -> bool:
    """Whether a message in Gmail has this Message-ID and was sent with this number of octets."""
    estimate = fields.get("sizeEstimate")
    if not isinstance(estimate, int) or not is_same_size(estimate, octets):
        return False
    payload = fields.get("payload")
    headers = payload.get("headers") if isinstance(payload, dict) else None
    return isinstance(headers, list) and any(
        isinstance(each, dict)
        and str(each.get("name", "")).lower() == "message-id"
        and str(each.get("value", "")).strip().removeprefix("<").removesuffix(">").strip() == message_id
        for each in headers
    )


def _word(on: bool) -> str:
    return "true" if on else "false"
