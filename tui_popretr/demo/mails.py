"""Mail that looks like mail: made up from a few numbers, and always the same from the same ones."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from tui_popretr.demo.texts import DOTTED, LATIN, PEOPLE, SENTENCES, SUBJECTS, TASKS, WORLDWIDE
from tui_popretr.popserver import Message

#: Mean time between two mails of an account.
BETWEEN = timedelta(hours=3, minutes=20)


def correspondence(owner: str, count: int, newest: datetime) -> list[bytes]:
    """Return `count` mails to `owner`, oldest first, from the days before `newest` (aware)."""
    return [mail(owner, number, newest - (count - number) * BETWEEN) for number in range(1, count + 1)]


def mail(owner: str, number: int, date: datetime) -> bytes:
    """Return the mail of this number to `owner`: RFC 5322 with CRLF; the same arguments give the same octets.

    Eight consecutive numbers bring every kind: plain text, 8-bit text in two character sets, lines with leading dots,
    alternatives in HTML, pictures and tables as attachments, a long list.
    """
    dice = _dice(owner, number)
    letter = EmailMessage(policy=SMTP)
    name, address = dice.choice(PEOPLE)
    user, _, domain = address.partition("@")
    letter["From"] = Address(name, user, domain)
    letter["To"] = Address(owner.capitalize(), owner, "example.org")
    letter["Date"] = format_datetime(date - dice.random() * BETWEEN / 2)
    letter["Message-ID"] = f"<{number}.{dice.getrandbits(40):010x}@{domain}>"
    _KINDS[number % len(_KINDS)](letter, dice, owner, name.partition(" ")[0])
    return letter.as_bytes()


def huge_mail(owner: str, octets: int, date: datetime) -> Message:
    """Return a mail of about so many octets (never more than 100,000 beside it) that is made while it is sent.

    It carries a table of measurements as a base64 attachment.
    """
    letter = EmailMessage(policy=SMTP)
    letter["From"] = Address("Weather Station 7", "station7", "example.net")
    letter["To"] = Address(owner.capitalize(), owner, "example.org")
    letter["Date"] = format_datetime(date)
    letter["Subject"] = "All measurements of the year, in one file"
    letter["Message-ID"] = "<measurements@station7.example.net>"
    letter.set_content("Please find the year attached. It is a little long.\n")
    letter.add_attachment(b"\0\0\0", maintype="text", subtype="csv", filename="measurements.csv")
    letter.set_boundary("=_measurements_=")
    # the three NULs in base64, which are where the measurements go
    head, _, tail = letter.as_bytes().partition(b"AAAA\r\n")
    block = b"".join(base64.b64encode(row) + b"\r\n" for row in _measurements())
    blocks = max(1, (octets - len(head) - len(tail)) // len(block))

    def source() -> Iterator[bytes]:
        yield head
        for _ in range(blocks):
            yield block
        yield tail

    return Message(len(head) + blocks * len(block) + len(tail), source)


def _dice(*seed: object) -> random.Random:
    return random.Random("/".join(map(str, seed)))  # noqa: S311 - nobody has to be unable to guess a demo's mail


def _measurements() -> Iterator[bytes]:
    """Rows of 57 octets, which are base64 lines of 76 without padding (RFC 2045 §6.8)."""
    dice = _dice("measurements")
    for minute in range(840):
        row = f"day-1T{minute // 60:02}:{minute % 60:02},{dice.gauss(14, 4):.2f},{dice.gauss(1013, 9):.1f},ok"
        yield row.encode().ljust(55) + b"\r\n"


# --- kinds of mail --------------------------------------------------------------------------------------------------


def _prose(dice: random.Random, sentences: int) -> str:
    return "\n".join(dice.sample(SENTENCES, sentences))


def _letter(owner: str, body: str, sender: str) -> str:
    return f"Hello {owner.capitalize()},\n\n{body}\n\nBest wishes\n{sender}\n"


def _note(letter: EmailMessage, dice: random.Random, owner: str, sender: str) -> None:
    letter["Subject"] = dice.choice(SUBJECTS)
    letter.set_content(_letter(owner, _prose(dice, dice.randint(1, 4)), sender), cte="8bit")


def _latin(letter: EmailMessage, dice: random.Random, owner: str, sender: str) -> None:
    letter["Subject"] = "Grüße und ein Gâteau"
    body = "\n".join((*dice.sample(LATIN, 2), _prose(dice, 1)))
    letter.set_content(_letter(owner, body, sender), charset="iso-8859-1", cte="8bit")


def _worldwide(letter: EmailMessage, dice: random.Random, owner: str, sender: str) -> None:
    letter["Subject"] = "Good morning, καλημέρα, 明日"
    letter.set_content(_letter(owner, "\n".join(dice.sample(WORLDWIDE, 3)), sender), cte="8bit")


def _dotted(letter: EmailMessage, dice: random.Random, owner: str, sender: str) -> None:
    letter["Subject"] = "Lines that begin with dots"
    letter.set_content(_letter(owner, "\n".join((_prose(dice, 1), *DOTTED)), sender), cte="8bit")


def _newsletter(letter: EmailMessage, dice: random.Random, owner: str, sender: str) -> None:
    issue, texts = dice.randint(12, 99), dice.sample(SENTENCES, 5)
    letter["Subject"] = f"Neighbourhood news no. {issue}"
    letter["List-Id"] = "Neighbourhood news <news.example.org>"
    letter.set_content(_letter(owner, "\n\n".join(texts), sender), cte="8bit")
    paragraphs = "\n".join(f"<p>{text}</p>" for text in texts)
    page = f"<!DOCTYPE html>\n<html><body>\n<h1>No. {issue}</h1>\n{paragraphs}\n<p>{sender}</p>\n</body></html>\n"
    letter.add_alternative(page, subtype="html", cte="8bit")
    letter.set_boundary(f"=_news_{dice.getrandbits(48):012x}")


def _picture(letter: EmailMessage, dice: random.Random, owner: str, sender: str) -> None:
    letter["Subject"] = "The evening sky, as promised"
    letter.set_content(_letter(owner, _prose(dice, 2), sender), cte="8bit")
    letter.add_attachment(_png(dice), maintype="image", subtype="png", filename="evening-sky.png")
    letter.set_boundary(f"=_picture_{dice.getrandbits(48):012x}")


def _table(letter: EmailMessage, dice: random.Random, owner: str, sender: str) -> None:
    letter["Subject"] = "Figures for the summer fair"
    letter.set_content(_letter(owner, _prose(dice, 1), sender), cte="8bit")
    rows = "".join(f"{task},{dice.randint(1, 40)},{dice.choice(PEOPLE)[1]}\r\n" for task in TASKS * 6)
    letter.add_attachment(f"task,hours,who\r\n{rows}".encode(), maintype="text", subtype="csv", filename="fair.csv")
    letter.set_boundary(f"=_table_{dice.getrandbits(48):012x}")


def _minutes(letter: EmailMessage, dice: random.Random, owner: str, sender: str) -> None:
    letter["Subject"] = "Minutes of our meeting"
    tasks = enumerate(dice.sample(TASKS, len(TASKS)), 1)
    points = (f"{n}. {task.capitalize()}\n   {dice.choice(SENTENCES)}" for n, task in tasks)
    letter.set_content(_letter(owner, "\n".join(points), sender), cte="8bit")


_KINDS: tuple[Callable[[EmailMessage, random.Random, str, str], None], ...] = (
    _note,
    _picture,
    _latin,
    _minutes,
    _dotted,
    _newsletter,
    _table,
    _worldwide,
)


def _png(dice: random.Random, width: int = 160, height: int = 90) -> bytes:
    """Return a picture of a sunset: a gradient with stars (PNG, 24 bit)."""
    top, bottom = (20, 24, 70), (250, dice.randint(120, 180), 90)
    rows = bytearray()
    for y in range(height):
        share = y / height
        colour = bytes(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        rows += b"\0"  # filter: none
        for _ in range(width):
            rows += b"\xff\xff\xe0" if dice.random() < 0.02 * (1 - share) else colour
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
