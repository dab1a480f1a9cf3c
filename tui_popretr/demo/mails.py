"""Invented mail. The same arguments always give the same octets."""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Callable, Iterator
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from tui_popretr.popserver import Message

#: Senders: name and address, in domains that are reserved for examples (RFC 2606).
_SENDERS = (
    ("Ines Abadi", "ines@example.org"),
    ("Tom Birch", "tom.birch@example.com"),
    ("Søren Dahl", "soeren@example.net"),
    ("Mia Fontaine", "mia@example.org"),
    ("Jürgen Groß", "juergen@example.net"),
    ("Aroha Henare", "aroha@example.com"),
    ("Zoë Kowalczyk", "zoe@example.org"),
    ("Lucía Martín", "lucia@example.net"),
)
_SUBJECTS = (
    "Lunch on Thursday?",
    "Keys are at the front desk",
    "Draft of the poster",
    "Who waters the plants?",
    "Small change to the timetable",
    "Book club: next chapter",
    "Found: one blue glove",
    "Choir rehearsal moves to room 4",
)
_SENTENCES = (
    "The weather looks kind for once, so let us try it outside.",
    "I have put a copy on the shelf next to the kettle.",
    "It took longer than I thought, but now it runs like clockwork.",
    "Bring a cup; last time there were fewer cups than people.",
    "If it rains we meet in the hall instead.",
    "Größere Stühle hätten wir übrigens auch noch.",
    "Příliš žluťoučký kůň zpívá v poledne na dvoře.",
    "Καλημέρα! Ο καφές είναι έτοιμος.",
    "明日の散歩は十時からです。",
    "Привет из сада, яблоки уже поспели.",
)


def mail(owner: str, number: int, date: datetime) -> bytes:
    """Return the mail with this number to `owner`: RFC 5322 with CRLF.

    Three consecutive numbers give every kind: plain text, a picture, and a newsletter with an HTML alternative.
    """
    dice = random.Random(f"{owner}/{number}")  # noqa: S311 - not for cryptography
    name, address = dice.choice(_SENDERS)
    letter = _letter((name, address), owner, date, f"{number}.{dice.getrandbits(40):010x}")
    _KINDS[number % len(_KINDS)](letter, dice)
    if letter.is_multipart():
        letter.set_boundary(f"=_{dice.getrandbits(48):012x}")
    return letter.as_bytes()


def huge_mail(owner: str, octets: int, date: datetime) -> Message:
    """Return a mail of `octets`, at most 100,000 more or less, that is generated while it is sent.

    It carries a table of measurements as a base64 attachment.
    """
    letter = _letter(("Weather Station 7", "station7@example.net"), owner, date, "measurements")
    letter["Subject"] = "All measurements of the year, in one file"
    letter.set_content("Please find the year attached. It is a little long.\n")
    letter.add_attachment(b"\0\0\0", maintype="text", subtype="csv", filename="measurements.csv")
    letter.set_boundary("=_measurements_=")
    # the measurements replace the three NULs, which are this line in base64
    head, _, tail = letter.as_bytes().partition(b"AAAA\r\n")
    # rows of 57 octets become base64 lines of 76 without padding (RFC 2045 §6.8)
    rows = (f"{minute // 60:02}:{minute % 60:02},14.2,1013.1,ok".ljust(55).encode() + b"\r\n" for minute in range(840))
    block = b"".join(base64.b64encode(row) + b"\r\n" for row in rows)
    blocks = max(1, (octets - len(head) - len(tail)) // len(block))

    def source() -> Iterator[bytes]:
        yield head
        for _ in range(blocks):
            yield block
        yield tail

    return Message(len(head) + blocks * len(block) + len(tail), source)


def _letter(sender: tuple[str, str], owner: str, date: datetime, unique: str) -> EmailMessage:
    letter = EmailMessage(policy=SMTP)
    letter["From"] = Address(sender[0], addr_spec=sender[1])
    letter["To"] = Address(owner.capitalize(), owner, "example.org")
    letter["Date"] = format_datetime(date)
    letter["Message-ID"] = f"<{unique}@{sender[1].partition('@')[2]}>"
    return letter


# --- kinds of mail --------------------------------------------------------------------------------------------------


def _note(letter: EmailMessage, dice: random.Random) -> None:
    letter["Subject"] = dice.choice(_SUBJECTS)
    letter.set_content(_text(dice.sample(_SENTENCES, 3)), cte="8bit")


def _picture(letter: EmailMessage, dice: random.Random) -> None:
    letter["Subject"] = "The evening sky, as promised"
    letter.set_content(_text(dice.sample(_SENTENCES, 2)), cte="8bit")
    letter.add_attachment(_bitmap(), maintype="image", subtype="bmp", filename="evening-sky.bmp")


def _newsletter(letter: EmailMessage, dice: random.Random) -> None:
    issue, sentences = dice.randint(12, 99), dice.sample(_SENTENCES, 4)
    letter["Subject"] = f"Neighbourhood news no. {issue}"
    letter.set_content(_text(sentences), cte="8bit")
    paragraphs = "\n".join(f"<p>{sentence}</p>" for sentence in sentences)
    page = f"<!DOCTYPE html>\n<html><body>\n<h1>No. {issue}</h1>\n{paragraphs}\n</body></html>\n"
    letter.add_alternative(page, subtype="html", cte="8bit")


_KINDS: tuple[Callable[[EmailMessage, random.Random], None], ...] = (_note, _picture, _newsletter)


def _text(sentences: list[str]) -> str:
    return "\n".join(("Hello,\n", *sentences, "\nBest wishes\n"))


def _bitmap(width: int = 40, height: int = 24) -> bytes:
    """Return a picture of a sunset: a gradient, as BMP with 24 bits per pixel."""
    rows = b"".join(bytes((70 + y, 30 + 5 * y, 20 + 9 * y)) * width for y in reversed(range(height)))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + len(rows), 0, 0, 54) + header + rows
