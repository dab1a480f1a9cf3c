"""A maildrop with many messages does not delay the others (queue.py)."""

from __future__ import annotations

from collections import Counter
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from tests.support.drafts import outcomes
from tui_popretr.commit.pipeline import BATCH
from tui_popretr.commit.queue import FairQueue, PendingDelivery
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.journal.records import NewRecord
from tui_popretr.mail.identity import Identity


def delivery(maildrop: int, number: int) -> PendingDelivery:
    record = NewRecord(number, maildrop, None, 9, Identity(b"d"), True, None, None, None, 0)
    return PendingDelivery(cast("FileDraft", None), record, outcomes(lambda each: None))


def taken(turns: FairQueue, most: int) -> list[tuple[int, int]]:
    return [(each.record.maildrop, each.record.id) for each in turns.take(most)]


def turns_of(counts: dict[int, int]) -> FairQueue:
    turns = FairQueue()
    for maildrop, count in counts.items():
        for number in range(count):
            turns.append(delivery(maildrop, number))
    return turns


def test_half_a_group_of_each_maildrop_and_then_more_of_each() -> None:
    turns = turns_of({1: 7, 2: 1, 3: 3})
    assert taken(turns, 4) == [(1, 0), (1, 1), (2, 0), (3, 0)]
    assert taken(turns, 4) == [(1, 2), (1, 3), (3, 1), (3, 2)]
    assert taken(turns, 4) == [(1, 4), (1, 5), (1, 6)]
    assert not turns
    assert taken(turns, 4) == []


def test_who_was_last_in_a_group_is_not_first_in_the_next() -> None:
    turns = turns_of({1: 2, 2: 2, 3: 2})
    assert taken(turns, 1) == [(1, 0)]
    assert taken(turns, 1) == [(2, 0)]
    assert taken(turns, 2) == [(3, 0), (1, 1)]


def test_a_group_is_of_few_maildrops_where_each_has_many() -> None:
    """Each of them has folders to be fsynced."""
    turns = turns_of(dict.fromkeys(range(200), 25))
    groups = [{maildrop for maildrop, _ in taken(turns, BATCH)} for _ in range(-(-200 * 25 // BATCH))]
    assert not turns
    assert sum(map(len, groups)) < 2 * 200


@given(st.lists(st.integers(1, 5) | st.none(), max_size=60), st.integers(1, 6))
def test_no_maildrop_is_overtaken_by_more_than_a_share(events: list[int | None], most: int) -> None:
    """`events`: a message of this maildrop arrives, or (None) a group is taken."""
    turns, waiting, overtaken = FairQueue(), dict[int, list[int]](), dict[int, Counter[int]]()

    def take() -> None:
        first = turns.first
        group = taken(turns, most)
        assert group[:1] == ([] if first is None else [(first.record.maildrop, first.record.id)])
        assert len(group) == min(most, sum(map(len, waiting.values())))
        for maildrop, number in group:
            assert waiting[maildrop].pop(0) == number  # its own keep their order
            overtaken.pop(maildrop, None)
            for other in (each for each, numbers in waiting.items() if numbers and each != maildrop):
                overtaken.setdefault(other, Counter())[maildrop] += 1
        assert all(max(times.values()) <= -(-most // 2) for times in overtaken.values())

    for number, maildrop in enumerate(events):
        if maildrop is None:
            take()
        else:
            turns.append(delivery(maildrop, number))
            waiting.setdefault(maildrop, []).append(number)
    while turns:
        take()
    assert not any(waiting.values())
