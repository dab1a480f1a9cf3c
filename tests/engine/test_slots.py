"""Slots for sessions under the concurrency limits."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import Concurrency
from tui_popretr.engine.slots import SessionSlot, SessionSlots


def server(host: str = "one.test", port: int = 110, user: str | None = "me") -> Server:
    return Server(host, port, user, None, (AuthType.USERPASS,), False, None)


def granted(*slots: SessionSlot) -> list[bool]:
    return [slot.granted.is_set() for slot in slots]


def test_a_place_is_granted_at_once_while_there_is_one() -> None:
    slots = SessionSlots(Concurrency(total=2, per_server=8))
    asked = [slots.request(server(user=name)) for name in "abc"]
    assert granted(*asked) == [True, True, False]
    asked[0].release()
    assert granted(*asked) == [True, True, True]


def test_a_server_has_a_limit_of_its_own() -> None:
    slots = SessionSlots(Concurrency(total=10, per_server=1))
    first, second = slots.request(server(user="a")), slots.request(server(user="b"))
    elsewhere = slots.request(server("two.test"))
    assert granted(first, second, elsewhere) == [True, False, True]
    first.release()
    assert granted(second) == [True]


def test_a_servers_name_has_no_case() -> None:
    slots = SessionSlots(Concurrency(per_server=1))
    slots.request(server("One.Test", user="a"))
    assert granted(slots.request(server("one.test", user="b"))) == [False]


@pytest.mark.parametrize(("port", "other", "together"), [(110, 995, False), (110, 110, False), (110, 2110, True)])
def test_sessions_on_one_maildrop_never_overlap(port: int, other: int, together: bool) -> None:
    slots = SessionSlots(Concurrency())
    first, second = slots.request(server(port=port)), slots.request(server(port=other))
    assert granted(first, second) == [True, together]
    first.release()
    assert granted(second) == [True]


def test_without_a_username_a_server_is_one_maildrop() -> None:
    slots = SessionSlots(Concurrency())
    slots.request(server(user=None))
    assert granted(slots.request(server(user=None)), slots.request(server(user="me"))) == [False, True]


def test_without_username_the_certificate_names_the_maildrop() -> None:
    slots = SessionSlots(Concurrency())
    first, again, other = (
        Server("one.test", 995, None, None, (AuthType.SASL_EXTERNAL,), False, TlsPolicy(key_store=path))
        for path in ("/a.pem", "/a.pem", "/b.pem")
    )
    asked = [slots.request(each) for each in (first, again, other)]
    assert granted(*asked) == [True, False, True]


def test_a_maildrop_in_use_delays_no_other() -> None:
    slots = SessionSlots(Concurrency())
    asked = [slots.request(server(user=name)) for name in ("a", "a", "b")]
    assert granted(*asked) == [True, False, True]


def test_within_a_server_first_come_is_first_served() -> None:
    slots = SessionSlots(Concurrency(total=10, per_server=1))
    asked = [slots.request(server(user=name)) for name in "abc"]
    asked[0].release()
    assert granted(*asked[1:]) == [True, False]
    asked[1].release()
    assert granted(*asked[1:]) == [True, True]


def test_servers_take_turns() -> None:
    slots = SessionSlots(Concurrency(total=1, per_server=8))
    running = slots.request(server(user="first"))
    many = [slots.request(server("busy.test", user=str(number))) for number in range(3)]
    few = [slots.request(server("quiet.test", user=str(number))) for number in range(3)]
    order = []
    waiting = [*many, *few]
    while waiting:
        running.release()
        running = next(slot for slot in waiting if slot.granted.is_set())
        waiting.remove(running)
        order.append(running.host[0])
    assert "".join(order) == "bqbqbq"


def test_who_stops_waiting_is_forgotten() -> None:
    slots = SessionSlots(Concurrency(total=1))
    first, second, third = (slots.request(server(user=name)) for name in "abc")
    second.release()
    first.release()
    assert granted(second, third) == [False, True]
    third.release()
    assert granted(slots.request(server(user="d"))) == [True]


def test_higher_limits_hand_out_places_at_once() -> None:
    slots = SessionSlots(Concurrency(total=1))
    slots.request(server(user="a"))
    waiting = [slots.request(server(user=name)) for name in "bc"]
    slots.limits = Concurrency(total=2)
    assert granted(*waiting) == [True, False]
    assert slots.limits == Concurrency(total=2)


def test_lower_limits_take_nothing_away_and_hold_from_then_on() -> None:
    slots = SessionSlots(Concurrency(total=3))
    running = [slots.request(server(user=name)) for name in "abc"]
    slots.limits = Concurrency(total=1)
    waiting = slots.request(server(user="d"))
    for slot in running[:2]:
        slot.release()
    assert granted(*running, waiting) == [True, True, True, False]
    running[2].release()
    assert granted(waiting) == [True]


def test_a_busy_server_does_not_starve_a_quiet_one() -> None:
    slots = SessionSlots(Concurrency(total=2, per_server=2))
    busy = [slots.request(server("busy.test", user=str(number))) for number in range(20)]
    quiet = slots.request(server("quiet.test"))
    releases = 0
    while not quiet.granted.is_set():
        busy.pop(0).release()
        busy.append(slots.request(server("busy.test", user=f"again {releases}")))
        releases += 1
    assert releases <= 2


@pytest.mark.parametrize("seed", range(8))
def test_a_random_walk_keeps_the_limits_and_starves_no_client(seed: int) -> None:
    chance = random.Random(seed)
    limits = Concurrency(chance.randint(1, 6), chance.randint(1, 3))
    slots = SessionSlots(limits)
    running: list[SessionSlot] = []
    waiting: list[SessionSlot] = []
    for _ in range(600):
        if chance.random() < 0.5 and len(waiting) < 30:
            host = f"host{min(chance.randint(0, 5), chance.randint(0, 5))}"
            waiting.append(slots.request(server(host, chance.choice([110, 995]), f"user{chance.randint(0, 3)}")))
        elif running and chance.random() < 0.9:
            running.pop(chance.randrange(len(running))).release()
        elif waiting:
            waiting.pop(chance.randrange(len(waiting))).release()
        running += [slot for slot in waiting if slot.granted.is_set()]
        waiting = [slot for slot in waiting if not slot.granted.is_set()]

        assert len(running) <= limits.total
        assert max(Counter(slot.host for slot in running).values(), default=0) <= limits.per_server
        maildrops = Counter(slot.maildrop for slot in running)
        assert max(maildrops.values(), default=0) <= 1
        hosts = Counter(slot.host for slot in running)
        for slot in waiting:  # no request waits while a slot is free
            busy = len(running) == limits.total or hosts[slot.host] == limits.per_server or maildrops[slot.maildrop]
            assert busy
    while running or waiting:  # and in the end each request is granted
        running.pop(0).release()
        running += [slot for slot in waiting if slot.granted.is_set()]
        waiting = [slot for slot in waiting if not slot.granted.is_set()]
