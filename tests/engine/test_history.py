"""Deliveries of earlier processes: kept with their subjects, and read at the next start."""

from __future__ import annotations

import trio
from trio.testing import MockClock, trio_test

from tests.support.clock import FakeClock
from tests.support.running import Fleet
from tui_popretr.control import messages
from tui_popretr.control.codec import event_to_json
from tui_popretr.engine import history
from tui_popretr.facts import DeliveriesRead, MessageDelivered, SessionId
from tui_popretr.mail.header import SHOWN_LIMIT
from tui_popretr.status import KEPT, View

SESSION = SessionId("a", 1)
NOW = FakeClock().now()


def letter(number: int) -> bytes:
    return f"From: Ann <a@b>\r\nSubject: =?utf-8?q?=C3=BC?= {number}\r\n\r\n{number}\r\n".encode()


@trio_test
async def test_deliveries_are_there_after_a_restart(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=10.0, runs=2)
    for number in range(250):
        fleet.drop().add(letter(number))
    await fleet.until_done(client)
    delivered = fleet.of(MessageDelivered)
    assert [(each.name, each.sender, each.subject) for each in delivered] == [
        ("Ann", "a@b", f"ü {number}") for number in range(250)
    ]
    fleet.facts.clear()
    fleet.ended, fleet.remember = None, 10
    async with fleet.running(client):
        await trio.sleep(1.0)
        read = fleet.of(DeliveriesRead)
    assert {len(each.deliveries) for each in read[:-1]} == {history._AT_ONCE}
    assert len(read[-1].deliveries) == 250 % history._AT_ONCE
    view = View()
    view.apply([fact for _, fact in fleet.facts], 0.0, delivered[0].at)
    assert [fact for _, fact in view.mails] == delivered
    assert view.messages_today == 250, "from the sessions, once"


def test_a_view_keeps_the_latest_deliveries() -> None:
    def delivery(number: int) -> MessageDelivered:
        return MessageDelivered(SESSION, NOW, number, None, 1, "File=/x", None, None, None, None, str(number))

    view = View()
    view.apply([delivery(number) for number in range(100, KEPT + 50)], 0.0, NOW)
    view.apply([DeliveriesRead(tuple(delivery(number) for number in range(100)))], 0.0, NOW)
    assert [fact.number for _, fact in view.mails] == list(range(50, KEPT + 50))
    view.apply([DeliveriesRead((delivery(0),))], 0.0, NOW)
    assert len(view.mails) == KEPT
    assert view.mails[-1][1].number == KEPT + 49


def test_the_longest_deliveries_fit_into_a_line() -> None:
    wide, most = "\U0001f600", 100_000
    fact = MessageDelivered(
        SessionId("a" * 100, 10**9),
        at=NOW,
        number=10**9,
        uid=wide * most,
        octets=10**12,
        destination=wide * most,
        path="/" + "\\" * 4096,
        message_id=wide * SHOWN_LIMIT,
        sender=wide * SHOWN_LIMIT,
        name=wide * SHOWN_LIMIT,
        subject=wide * SHOWN_LIMIT,
    )
    read = history._delivered(history._delivery_row(fact))
    line = messages.encode({"n": 10**9, **event_to_json(DeliveriesRead((read,) * history._AT_ONCE))})
    assert len(line) <= messages.MAX_LINE
