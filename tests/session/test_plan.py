"""The plan for each message of a maildrop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.journal.records import MessageFailure, MessageState, Record, uid_key
from tui_popretr.mail.identity import Identity
from tui_popretr.session.plan import (
    LEAST_REST,
    LONGEST_REST,
    POISON_FAILURES,
    Fetch,
    Listed,
    Plan,
    Policy,
    Skip,
    Verify,
    make_plan,
    to_delete,
)

NOW = 1_795_000_000
DAY = 24 * 3600

DELETE, PRESERVE, NEW_ONLY = Policy(), Policy(preserve=True), Policy(preserve=True, new_only=True)
NEW_ONLY_AND_DELETE = Policy(new_only=True)
FOURTEEN_DAYS = Policy(preserve=True, new_only=True, delete_after=14.0 * DAY)
PRESERVE_FOURTEEN_DAYS = Policy(preserve=True, delete_after=14.0 * DAY)


def record(state: MessageState = MessageState.DELIVERED, uid: str | None = "u1", **changes: Any) -> Record:
    """A record of an hour ago, owed and not settled."""
    values: dict[str, Any] = {
        "id": 7,
        "delete_pending": True,
        "quit_confirmed": False,
        "time": NOW - 3600,
        "digest": b"d",
    } | changes
    return Record(
        values["id"],
        uid,
        1000,
        Identity(values["digest"], whole=uid is None),
        state,
        values["delete_pending"],
        values["quit_confirmed"],
        None,
        None,
        None,
        values["time"],
        born=values["time"],
        mark=values.get("mark"),
    )


def plan_for(policy: Policy, *records: Record, listing: list[Listed] | None = None, **more: Any) -> Plan:
    listing = [Listed(1, "u1", 1000)] if listing is None else listing
    return make_plan(listing, records, more.pop("troubles", {}), policy, NOW, NOW, **more)


def verdict(plan: Plan) -> str:
    """What becomes of the one message of a plan, in a word."""
    assert len(plan.work) + len(plan.skips) == 1
    if plan.skips:
        return "skip silently" if plan.skips[0].silent else "skip"
    return "check" if isinstance(plan.work[0], Verify) else "fetch"


# --- what the journal knows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quit_confirmed", [True, False])
@pytest.mark.parametrize("delete_pending", [True, False])
@pytest.mark.parametrize("state", [MessageState.DELIVERED, MessageState.DELETED])
def test_what_was_delivered_waits_where_deletions_are_suspended(
    state: MessageState, delete_pending: bool, quit_confirmed: bool
) -> None:
    """Retrieved again it would come twice, and what comes now may be a notice in its place."""
    suspended = Policy(preserve=True, suspended=True)
    assert (
        verdict(plan_for(suspended, record(state, delete_pending=delete_pending, quit_confirmed=quit_confirmed)))
        == "skip silently"
    )
    assert verdict(plan_for(suspended)) == "fetch"


@pytest.mark.parametrize("policy", [DELETE, PRESERVE, NEW_ONLY, NEW_ONLY_AND_DELETE, FOURTEEN_DAYS])
def test_an_unknown_message_is_fetched(policy: Policy) -> None:
    assert verdict(plan_for(policy)) == "fetch"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (DELETE, "fetch"),
        (PRESERVE, "fetch"),
        (NEW_ONLY, "skip silently"),
        (NEW_ONLY_AND_DELETE, "skip silently"),
        (FOURTEEN_DAYS, "skip silently"),
        (PRESERVE_FOURTEEN_DAYS, "fetch"),
    ],
)
def test_a_seen_message_is_skipped_by_newonly_only(policy: Policy, expected: str) -> None:
    seen = record(MessageState.SEEN, time=NOW - 100 * DAY)
    assert verdict(plan_for(policy, seen)) == expected


@pytest.mark.parametrize("state", [MessageState.DELETED, MessageState.DELIVERING])
@pytest.mark.parametrize("policy", [PRESERVE, NEW_ONLY, FOURTEEN_DAYS])
def test_under_preserve_a_uid_that_comes_back_is_new_mail(state: MessageState, policy: Policy) -> None:
    assert verdict(plan_for(policy, record(state, time=NOW - 100 * DAY))) == "fetch"


@pytest.mark.parametrize("policy", [DELETE, PRESERVE, NEW_ONLY, FOURTEEN_DAYS, PRESERVE_FOURTEEN_DAYS])
def test_a_message_in_doubt_is_neither_retrieved_nor_deleted(policy: Policy) -> None:
    plan = plan_for(policy, record(MessageState.DELIVERING, time=NOW - 100 * DAY, mark="x"))
    assert plan.work == plan.separate_deletions == []
    (skip,) = plan.skips
    assert (skip.failure, skip.in_doubt, skip.silent) == (True, True, False)


@pytest.mark.parametrize("policy", [DELETE, PRESERVE, NEW_ONLY])
def test_a_message_in_doubt_without_uid_is_matched(policy: Policy) -> None:
    in_doubt = record(MessageState.DELIVERING, uid=None, mark="x")
    assert plan_for(policy, in_doubt, listing=[Listed(1, None, 1000)]).without_uid == [in_doubt]


@pytest.mark.parametrize("policy", [DELETE, NEW_ONLY_AND_DELETE])
@pytest.mark.parametrize(("octets", "expected"), [(1000, "check"), (1001, "fetch")])
def test_a_uid_that_reappears_after_deletion_is_verified(policy: Policy, octets: int, expected: str) -> None:
    plan = plan_for(
        policy,
        record(MessageState.DELETED, quit_confirmed=True, delete_pending=False),
        listing=[Listed(1, "u1", octets)],
    )
    assert verdict(plan) == expected
    assert plan.to_mark_for_deletion == ([7] if expected == "check" else [])


@pytest.mark.parametrize(
    ("policy", "delete_pending", "quit_confirmed", "expected"),
    [
        (DELETE, True, False, "check"),
        (DELETE, True, True, "check"),
        (DELETE, False, False, "check"),  # of a run under preserve that was cut
        (DELETE, False, True, "fetch"),
        (NEW_ONLY_AND_DELETE, True, False, "check"),
        (NEW_ONLY_AND_DELETE, False, True, "skip silently"),
        # preserve suspends a deletion that is owed
        (PRESERVE, True, False, "skip silently"),
        (PRESERVE, True, True, "fetch"),
        (PRESERVE, False, False, "skip silently"),
        (PRESERVE, False, True, "fetch"),
        (NEW_ONLY, True, True, "skip silently"),
        (NEW_ONLY, False, True, "skip silently"),
        (FOURTEEN_DAYS, True, True, "skip silently"),
        (FOURTEEN_DAYS, False, True, "skip silently"),
        (PRESERVE_FOURTEEN_DAYS, False, True, "fetch"),
        (PRESERVE_FOURTEEN_DAYS, False, False, "skip silently"),
    ],
)
def test_a_delivered_message(policy: Policy, delete_pending: bool, quit_confirmed: bool, expected: str) -> None:
    assert verdict(plan_for(policy, record(delete_pending=delete_pending, quit_confirmed=quit_confirmed))) == expected


@pytest.mark.parametrize("policy", [FOURTEEN_DAYS, PRESERVE_FOURTEEN_DAYS])
@pytest.mark.parametrize(("delete_pending", "newly"), [(False, [7]), (True, [])])
def test_deleteafter_owes_a_deletion_when_its_time_has_come(
    policy: Policy, delete_pending: bool, newly: list[int]
) -> None:
    due = record(delete_pending=delete_pending, quit_confirmed=True, time=NOW - 14 * DAY)
    plan = plan_for(policy, due)
    assert plan.work == [Verify(Listed(1, "u1", 1000), due)]
    assert plan.to_mark_for_deletion == newly


def test_a_second_before_its_time_deleteafter_owes_nothing() -> None:
    plan = plan_for(FOURTEEN_DAYS, record(delete_pending=False, time=NOW - 14 * DAY + 1))
    assert (verdict(plan), plan.to_mark_for_deletion) == ("skip silently", [])


@pytest.mark.parametrize(
    ("state", "kept"), [(MessageState.DELIVERED, True), (MessageState.DELETED, False), (MessageState.SEEN, False)]
)
def test_what_is_fetched_again_is_known_by_its_first_delivery(state: MessageState, kept: bool) -> None:
    earlier = record(state, quit_confirmed=True)
    assert plan_for(PRESERVE, earlier).work == [Fetch(Listed(1, "u1", 1000), earlier if kept else None)]


def test_of_several_records_of_a_uid_the_newest_counts() -> None:
    newest = record(id=9)
    plan = plan_for(DELETE, record(MessageState.DELETED, id=8), newest)
    assert plan.work == [Verify(Listed(1, "u1", 1000), newest)]


# --- without UIDs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "delete_pending", "quit_confirmed", "matched"),
    [
        (DELETE, True, False, True),
        (DELETE, True, True, True),
        (DELETE, False, True, False),
        (DELETE, False, False, True),  # a run that was cut goes on without repeats
        (PRESERVE, False, False, True),
        (PRESERVE, True, True, False),
        (NEW_ONLY, False, True, True),
    ],
)
def test_messages_without_uid_are_matched_by_hash(
    policy: Policy, delete_pending: bool, quit_confirmed: bool, matched: bool
) -> None:
    without_uid = record(uid=None, delete_pending=delete_pending, quit_confirmed=quit_confirmed)
    plan = plan_for(policy, without_uid, listing=[Listed(1, None, 1000)])
    assert verdict(plan) == "fetch"
    assert plan.without_uid == ([without_uid] if matched else [])


@pytest.mark.parametrize("state", [MessageState.DELETED, MessageState.SEEN, MessageState.DELIVERING])
def test_only_delivered_messages_are_matched_by_their_hash(state: MessageState) -> None:
    assert plan_for(NEW_ONLY, record(state, uid=None)).without_uid == []


def test_two_identical_messages_are_two_records_to_match() -> None:
    twins = record(uid=None, id=1), record(uid=None, id=2)
    assert plan_for(DELETE, *twins).without_uid == list(twins)


def test_a_message_that_lost_its_uid_is_retrieved_again() -> None:
    plan = plan_for(DELETE, record(), listing=[Listed(1, None, 1000), Listed(2, "u1", 1000)])
    assert [type(each) for each in plan.work] == [Fetch, Verify]


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("octets", "expected"), [(1000, "fetch"), (1001, "skip")])
def test_maxsize(octets: int, expected: str) -> None:
    plan = plan_for(Policy(max_size=1000), listing=[Listed(1, "u1", octets)])
    assert verdict(plan) == expected
    if expected == "skip":
        assert "maxsize" in plan.skips[0].reason
        assert "1001" in plan.skips[0].reason
        assert not plan.skips[0].failure


def test_what_is_owed_is_deleted_however_large() -> None:
    assert verdict(plan_for(Policy(max_size=10), record())) == "check"


def test_maxmessages_does_not_count_verifications() -> None:
    listing = [Listed(number, f"u{number}", 10) for number in range(1, 7)]
    plan = plan_for(Policy(max_messages=2), record(uid="u1"), record(uid="u6"), listing=listing)
    assert [(type(each), each.listed.number) for each in plan.work] == [
        (Fetch, 2),
        (Fetch, 3),
        (Verify, 1),
        (Verify, 6),
    ]
    assert plan.unretrieved == 2


def test_as_many_messages_as_maxmessages_are_all_fetched() -> None:
    plan = plan_for(Policy(max_messages=1))
    assert (len(plan.fetches), plan.unretrieved) == (1, 0)


# --- troubles ---------------------------------------------------------------------------------------------------------


def trouble(failures: int = POISON_FAILURES, age: float = 60, key: str = "uid:u1") -> dict[str, MessageFailure]:
    return {key: MessageFailure(key, 1000, failures, 0, int(NOW - age), "it never ends")}


def test_whatever_has_failed_comes_behind_what_has_not() -> None:
    listing = [Listed(number, f"u{number}", 10) for number in range(1, 6)]
    troubles = trouble(2, key="uid:u1") | trouble(1, key="uid:u2") | trouble(1, key="uid:u4")
    assert [each.listed.number for each in plan_for(DELETE, listing=listing, troubles=troubles).work] == [3, 5, 2, 4, 1]


def test_a_clock_set_back_does_not_prolong_the_backoff() -> None:
    assert verdict(plan_for(DELETE, troubles=trouble(age=-LEAST_REST))) == "fetch"
    assert verdict(plan_for(DELETE, troubles=trouble(age=-LEAST_REST + 1))) == "skip"


@pytest.mark.parametrize(
    ("failures", "minutes", "said"),
    [
        (3, 30, "30 min"),
        (4, 60, "60 min"),
        (5, 120, "2 h"),
        (6, 240, "4 h"),
        (8, 960, "16 h"),
        (9, 1440, "24 h"),
        (10, 1440, "24 h"),
        (5000, 1440, "24 h"),
    ],
)
def test_the_backoff_doubles_after_three_failures(failures: int, minutes: int, said: str) -> None:
    (skip,) = plan_for(DELETE, troubles=trouble(failures, age=0)).skips
    assert skip.failure
    assert skip.reason == f"failed {failures} times (it never ends); the next attempt is in {said}"
    assert verdict(plan_for(DELETE, troubles=trouble(failures, age=minutes * 60 - 1))) == "skip"
    assert verdict(plan_for(DELETE, troubles=trouble(failures, age=minutes * 60))) == "fetch"


@pytest.mark.parametrize("failures", [1, 2])
def test_a_message_that_failed_less_often_does_not_rest(failures: int) -> None:
    assert verdict(plan_for(DELETE, troubles=trouble(failures, age=0))) == "fetch"


def test_after_its_rest_it_is_tried_last() -> None:
    listing = [Listed(1, "u1", 1000), Listed(2, "u2", 10), Listed(3, "u3", 10)]
    plan = plan_for(DELETE, listing=listing, troubles=trouble(age=LONGEST_REST))
    assert [each.listed.number for each in plan.work] == [2, 3, 1]


def test_maxmessages_leaves_it_out_first() -> None:
    listing = [Listed(1, "u1", 1000), Listed(2, "u2", 10)]
    plan = plan_for(Policy(max_messages=1), listing=listing, troubles=trouble(age=LONGEST_REST))
    assert [each.listed.number for each in plan.work] == [2]


def test_failures_do_not_prevent_a_pending_deletion() -> None:
    assert verdict(plan_for(DELETE, record(), troubles=trouble())) == "check"


def test_without_a_uid_failures_are_counted_under_the_size() -> None:
    assert Listed(1, None, 1000).failure_key == "size:1000"
    assert Listed(1, "size:1000", 1000).failure_key == "uid:size:1000", "a UID never equals a size"
    plan = plan_for(DELETE, listing=[Listed(1, None, 1000), Listed(2, None, 1001)], troubles=trouble(key="size:1000"))
    assert [each.listed.number for each in plan.skips] == [1]
    assert [each.listed.number for each in plan.work] == [2]


@pytest.mark.parametrize("records", [(), (record(),)])
def test_what_broke_the_connection_in_this_run_is_passed_over(records: tuple[Record, ...]) -> None:
    listing = [Listed(1, "u1", 1000), Listed(2, "u2", 10)]
    plan = plan_for(DELETE, *records, listing=listing, skipped=frozenset({"uid:u1"}))
    assert [(skip.listed.number, skip.failure, skip.silent) for skip in plan.skips] == [(1, True, True)]
    assert [each.listed.number for each in plan.work] == [2]


# --- whatever comes ---------------------------------------------------------------------------------------------------

_UIDS = st.sampled_from([None, "a", "b", "c", "d", "e", "f", "g"])
_RECORDS = st.lists(
    st.builds(
        lambda uid, state, delete_pending, quit_confirmed, age, number: record(
            # a deletion that was done is not owed (Journal.close_session)
            state,
            uid,
            id=number,
            delete_pending=delete_pending and state is not MessageState.DELETED,
            quit_confirmed=quit_confirmed,
            time=NOW - age,
        ),
        _UIDS,
        st.sampled_from(MessageState),
        st.booleans(),
        st.booleans(),
        st.integers(-DAY, 40 * DAY),
        st.integers(1, 10**6),
    ),
    max_size=10,
)
_LISTINGS = st.lists(st.tuples(_UIDS, st.integers(0, 2000)), max_size=10).map(
    lambda rows: [Listed(number, uid, octets) for number, (uid, octets) in enumerate(rows, 1)]
)
_POLICIES = st.builds(
    Policy,
    preserve=st.booleans(),
    new_only=st.booleans(),
    delete_after=st.none() | st.floats(0, 30 * DAY),
    max_size=st.none() | st.integers(1, 2000),
    max_messages=st.none() | st.integers(1, 5),
)
_TROUBLES = st.lists(
    st.builds(
        lambda uid, failures, age: MessageFailure(uid_key(uid), 1000, failures, 0, NOW - age, "reason"),
        _UIDS.filter(bool),
        st.integers(1, 5),
        st.integers(0, 3 * DAY),
    ),
    max_size=4,
).map(lambda troubles: {each.key: each for each in troubles})


@settings(max_examples=200)
@given(
    _LISTINGS, _RECORDS, _TROUBLES, _POLICIES, st.frozensets(_UIDS.map(lambda uid: uid_key(uid or "none")), max_size=2)
)
def test_every_message_is_accounted_for_once(
    listing: list[Listed],
    records: list[Record],
    troubles: dict[str, MessageFailure],
    policy: Policy,
    skipped: frozenset[str],
) -> None:
    plan = make_plan(listing, records, troubles, policy, NOW, NOW, skipped)
    named = [each.listed.number for each in [*plan.work, *plan.separate_deletions, *plan.skips]]
    assert len(named) == len(set(named))
    assert len(named) + plan.unretrieved == len(listing)
    assert policy.max_messages is None or len(plan.fetches) <= policy.max_messages
    kinds = [isinstance(each, Verify) for each in plan.work]
    assert kinds == sorted(kinds), "what is only to be deleted comes last"
    assert plan.work or not plan.separate_deletions
    for work in (*plan.work, *plan.separate_deletions):
        if isinstance(work, Verify):
            assert work.record.uid == work.listed.uid is not None
            # the only messages that are deleted without being delivered
            assert work.record.state in (MessageState.DELIVERED, MessageState.DELETED)
            assert work.record.state is MessageState.DELETED or to_delete(work.record, policy, NOW)
            assert work.record.delete_pending or work.whole or work.record.id in plan.to_mark_for_deletion
    for skip in plan.skips:
        assert isinstance(skip, Skip)
        assert skip.reason
    known = {each.id: each for each in records}
    assert all(not known[each].delete_pending for each in plan.to_mark_for_deletion)
    if not policy.preserve:
        assert not any(
            known[each].quit_confirmed and known[each].state is MessageState.DELIVERED
            for each in plan.to_mark_for_deletion
        )
    elif policy.delete_after is None:
        assert plan.to_mark_for_deletion == []
    assert all(
        each.uid is None and each.state in (MessageState.DELIVERED, MessageState.KEPT) for each in plan.without_uid
    )


@pytest.mark.parametrize("policy", [PRESERVE, NEW_ONLY])
@pytest.mark.parametrize("state", list(MessageState))
def test_preserve_deletes_nothing(policy: Policy, state: MessageState) -> None:
    plan = plan_for(policy, record(state, time=0))
    assert not any(isinstance(each, Verify) for each in plan.work)
