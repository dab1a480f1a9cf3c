"""What the journal remembers and forgets."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from tests.journal.making import DAY, HOME, NOW, WORK, deliver, new_record
from tui_popretr.errors import ExitCode, JournalError
from tui_popretr.journal import history, schema
from tui_popretr.journal import journal as module
from tui_popretr.journal.ids import MessageIds
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import (
    CapaHistory,
    DeliveredMark,
    Doubt,
    HookTime,
    Identity,
    Maildrop,
    MessageFailure,
    MessageState,
    PipeliningFailure,
    Record,
    SessionRow,
    deletion_key,
    size_key,
    uid_key,
)


def only(journal: Journal, maildrop: int) -> Record:
    (record,) = journal.records(maildrop)
    return record


def uids(journal: Journal, maildrop: int) -> list[str | None]:
    return [record.uid for record in journal.records(maildrop)]


def test_a_move_to_tls_and_the_case_of_the_host_forget_nothing(journal: Journal) -> None:
    assert journal.maildrop(Maildrop.of("POP.Example.test", 995, "me", "x")) == journal.maildrop(
        Maildrop.of("pop.example.test", 110, "me", "x")
    )


@pytest.mark.parametrize(
    "other",
    [
        Maildrop.of("pop2.example.test", 110, "me", "x"),
        Maildrop.of("pop.example.test", 1110, "me", "x"),
        Maildrop.of("pop.example.test", 110, "Me", "x"),
        Maildrop.of("pop.example.test", 110, None, "x"),
        Maildrop.of("pop.example.test", 110, "me", "y"),
    ],
)
def test_each_part_of_the_key_counts(journal: Journal, other: Maildrop) -> None:
    assert journal.maildrop(other) != journal.maildrop(Maildrop.of("pop.example.test", 110, "me", "x"))


SMTP = "smtp:mail.example.test:25/me"
ROOTED = "smtp:mail.example.test.:25/me"


@pytest.mark.parametrize(
    ("host", "destination"),
    [("pop.example.test.", SMTP), ("pop.example.test.", ROOTED), ("pop.example.test", ROOTED)],
)
def test_a_maildrop_key_with_a_trailing_dot_is_found(journal: Journal, host: str, destination: str) -> None:
    before = journal.maildrop(Maildrop(host, 110, "me", destination))
    deliver(journal, before, "u1")
    key = Maildrop.of("POP.example.test.", 995, "me", SMTP)
    assert key.host == "pop.example.test"
    assert journal.maildrop(key) == before
    assert journal.maildrop(key) == before
    assert uids(journal, before) == ["u1"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Maildrop("pop.", 110, "me", "x"), Maildrop.of("pop", 110, "me", "x")),  # a search domain makes another host
        (Maildrop("strasse.example", 110, "me", "x"), Maildrop.of("straße.example", 110, "me", "x")),
        (Maildrop("pop.example.test.", 110, "me", "x"), Maildrop.of("pop.example.test", 110, "you", "x")),
        (Maildrop("pop.example.test", 110, "me", "maildir:/a.b:1."), Maildrop.of("pop.example.test", 110, "me", "y")),
    ],
)
def test_nothing_else_is_taken_for_a_former_key(journal: Journal, before: Maildrop, after: Maildrop) -> None:
    assert journal.maildrop(before) != journal.maildrop(after)


def test_delivering_keeps_all_that_recovery_needs(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    new = new_record(journal, maildrop, "u1")
    journal.commit([new], [])
    expected = Record(
        new.id, "u1", new.octets, new.identity, MessageState.DELIVERING, True, False, new.tmp, new.final, new.audit, NOW
    )
    assert journal.delivering() == [(maildrop, expected)]
    assert journal.delivering() == [(maildrop, expected)]
    assert journal.records(maildrop) == [expected]


def test_delivered_clears_what_was_only_for_recovery(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    new = new_record(journal, maildrop, "u1", delete_pending=True)
    journal.commit([new], [])
    journal.commit([], [DeliveredMark(new.id, False)])
    record = only(journal, maildrop)
    assert (record.state, record.delete_pending, record.quit_confirmed) == (MessageState.DELIVERED, False, False)
    assert (record.tmp, record.final, record.audit) == (None, new.final, None)
    assert journal.delivering() == []


def test_one_transaction_carries_two_groups(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    first, second = new_record(journal, maildrop, "u1"), new_record(journal, maildrop, "u2")
    journal.commit([first], [])
    journal.commit([second], [DeliveredMark(first.id, True)])
    assert [r.state for r in journal.records(maildrop)] == [MessageState.DELIVERED, MessageState.DELIVERING]


def test_a_delivery_replaces_what_was_known_under_its_uid_there(journal: Journal) -> None:
    home, work = journal.maildrop(HOME), journal.maildrop(WORK)
    journal.mark_seen(home, ["u1"])
    deliver(journal, home, "u1", "u2")
    deliver(journal, work, "u1")
    (last,) = deliver(journal, home, "u1")
    assert [(r.uid, r.id == last) for r in journal.records(home)] == [("u2", False), ("u1", True)]
    assert uids(journal, work) == ["u1"]


def test_an_unfinished_record_survives_a_later_delivery(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    unfinished = new_record(journal, maildrop, "u1")
    journal.commit([unfinished], [])
    deliver(journal, maildrop, "u1")
    assert [(owner, r.id) for owner, r in journal.delivering()] == [(maildrop, unfinished.id)]


def test_messages_without_a_uid_do_not_replace_each_other(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    deliver(journal, maildrop, None, None)
    assert len(journal.records(maildrop)) == 2


def test_withdraw_forgets_only_the_unfinished(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    (delivered,) = deliver(journal, maildrop, "u1")
    unfinished = new_record(journal, maildrop, "u2")
    journal.commit([unfinished], [])
    journal.withdraw([delivered, unfinished.id])
    assert [r.id for r in journal.records(maildrop)] == [delivered]


def test_own_only_concerns_the_delivered(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    journal.mark_seen(maildrop, ["seen"])
    seen = only(journal, maildrop).id
    (delivered,) = deliver(journal, maildrop, "u1", delete_pending=False)
    journal.mark_delete_pending([seen, delivered])
    assert {r.uid: r.delete_pending for r in journal.records(maildrop)} == {"seen": False, "u1": True}


def test_mark_seen_leaves_what_is_known(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    deliver(journal, maildrop, "u1")
    assert journal.mark_seen(maildrop, ["u1", "u2", "u2", "u3"]) == 2
    assert [(r.uid, r.state) for r in journal.records(maildrop)] == [
        ("u1", MessageState.DELIVERED),
        ("u2", MessageState.SEEN),
        ("u3", MessageState.SEEN),
    ]
    assert journal.mark_seen(maildrop, ["u2"]) == 0
    seen = journal.records(maildrop)[1].identity
    assert not seen.same_as(seen), "nothing is known of its header"


def test_quit_deletes_and_settles(journal: Journal) -> None:
    home, work = journal.maildrop(HOME), journal.maildrop(WORK)
    gone, kept = deliver(journal, home, "u1", "u2")
    deliver(journal, work, "u1")
    unfinished = new_record(journal, home, "u3")
    journal.commit([unfinished], [])
    journal.close_session(home, deleted=[gone, unfinished.id], listed=None, now=NOW)
    states = {r.id: (r.state, r.delete_pending, r.quit_confirmed) for r in journal.records(home)}
    assert states == {
        gone: (MessageState.DELETED, False, True),
        kept: (MessageState.DELIVERED, True, True),
        unfinished.id: (MessageState.DELIVERING, True, False),
    }
    assert not only(journal, work).quit_confirmed


def test_what_was_absent_for_90_days_is_forgotten(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    deliver(journal, maildrop, "stays", "goes", "returns", delete_pending=False)
    journal.mark_seen(maildrop, ["seen"])

    def close(day: float, *listed: str) -> list[str | None]:
        journal.close_session(maildrop, deleted=[], listed=listed, now=NOW + int(day * DAY))
        return uids(journal, maildrop)

    close(0, "stays")
    close(50, "stays", "returns")
    assert close(89.9, "stays") == ["stays", "goes", "returns", "seen"]
    assert close(90, "stays") == ["stays", "returns"]
    assert close(179.8, "stays") == ["stays", "returns"]
    assert close(180, "stays") == ["stays"]


def test_an_incomplete_listing_tells_nothing(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    deliver(journal, maildrop, "u1")
    for day in (0, 100, 200):
        journal.close_session(maildrop, deleted=[], listed=None, now=NOW + day * DAY)
    assert uids(journal, maildrop) == ["u1"]


def test_a_deleted_message_is_remembered_for_90_days(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    (gone,) = deliver(journal, maildrop, "u1")
    journal.close_session(maildrop, deleted=[gone], listed={"u1"}, now=NOW)
    journal.close_session(maildrop, deleted=[], listed=set(), now=NOW + 89 * DAY)
    assert only(journal, maildrop).state is MessageState.DELETED
    journal.close_session(maildrop, deleted=[], listed=set(), now=NOW + 90 * DAY)
    assert journal.records(maildrop) == []


def test_absence_counted_by_a_clock_that_was_ahead_starts_again(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    deliver(journal, maildrop, "u1")
    journal.close_session(maildrop, deleted=[], listed=[], now=NOW + 1000 * DAY)
    journal.close_session(maildrop, deleted=[], listed=[], now=NOW)
    journal.close_session(maildrop, deleted=[], listed=[], now=NOW + 90 * DAY)
    assert journal.records(maildrop) == []


def test_an_unfinished_record_is_never_forgotten(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    journal.commit([new_record(journal, maildrop, "u1"), new_record(journal, maildrop, None)], [])
    for day in (0, 100, 200):
        journal.close_session(maildrop, deleted=[], listed=[], now=NOW + day * DAY)
    assert len(journal.delivering()) == 2


def test_without_uids_only_what_is_owed_or_just_deleted_stays(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    delete_pending, gone = deliver(journal, maildrop, None, None)
    deliver(journal, maildrop, None, delete_pending=False)
    journal.close_session(maildrop, deleted=[gone], listed=None, now=NOW)
    assert [r.id for r in journal.records(maildrop)] == [delete_pending, gone]
    journal.close_session(maildrop, deleted=[], listed=None, now=NOW + 90 * DAY)
    assert [r.id for r in journal.records(maildrop)] == [delete_pending]


def test_failures_count_until_the_message_is_delivered_or_gone(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    journal.count_failures(maildrop, [(uid_key("u1"), 10, "cut", False)], NOW)
    assert journal.failures(maildrop)["uid:u1"] == MessageFailure("uid:u1", 10, 1, 0, NOW, "cut")
    journal.count_failures(maildrop, [(uid_key("u1"), 12, "refused", True)], NOW + 5)
    keys = [*map(uid_key, ("u2", "u3", "u4")), deletion_key(uid_key("u3")), deletion_key(uid_key("u4")), size_key(10)]
    journal.count_failures(maildrop, [(key, 10, "cut", False) for key in keys], NOW)
    assert journal.failures(maildrop)["uid:u1"] == MessageFailure("uid:u1", 12, 2, 1, NOW + 5, "refused")
    deliver(journal, maildrop, "u1")
    journal.clear_failures(maildrop, [uid_key("u2")])
    journal.close_session(maildrop, deleted=[], listed={"u3"}, now=NOW)
    assert set(journal.failures(maildrop)) == {"uid:u3", "dele uid:u3"}
    assert journal.failures(journal.maildrop(WORK)) == {}


def test_of_a_server_the_last_manners_are_known(journal: Journal) -> None:
    here, there = PipeliningFailure("pop.example.test", 110, 1, NOW), PipeliningFailure("pop.example.test", 995, 1, NOW)
    for failure in (here, there, here._replace(failures=2)):
        journal.note_pipelining_failure(failure)
    assert journal.pipelining_failures() == [here._replace(failures=2), there]
    journal.forget_pipelining_failure("pop.example.test", 110)
    journal.forget_pipelining_failure("pop.example.org", 995)
    assert journal.pipelining_failures() == [there]


def test_a_uid_that_was_used_before_can_be_marked_as_seen(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    deliver(journal, maildrop, "u1")
    (record,) = journal.records(maildrop)
    journal.close_session(maildrop, deleted=[record.id], listed={"u1"}, now=NOW)
    assert journal.mark_seen(maildrop, ["u1"], now=NOW) == 1
    assert [each.state for each in journal.records(maildrop)] == [MessageState.SEEN]
    assert journal.mark_seen(maildrop, ["u1"], now=NOW) == 0


def test_who_has_accepted_is_known_until_all_have(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    new = new_record(journal, maildrop, "u1")
    other = new_record(journal, maildrop, "u2")
    journal.commit([new, other], [])
    journal.withdraw([new.id, other.id], {new.id: ["a@example.test", "b@example.test"]})
    assert journal.records(maildrop) == []
    assert journal.acceptances(maildrop) == [
        ("u1", new.identity, "a@example.test"),
        ("u1", new.identity, "b@example.test"),
    ]
    assert journal.acceptances(journal.maildrop(WORK)) == []
    deliver(journal, maildrop, "u2")
    assert len(journal.acceptances(maildrop)) == 2
    deliver(journal, maildrop, "u1")
    assert journal.acceptances(maildrop) == []


def test_who_has_accepted_is_forgotten_after_ninety_days(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    new = new_record(journal, maildrop, None)
    journal.commit([new], [])
    journal.withdraw([new.id], {new.id: ["a@example.test"]})
    journal.close_session(maildrop, deleted=[], listed=None, now=NOW + module.FORGET_AFTER - 1)
    assert [each.address for each in journal.acceptances(maildrop)] == ["a@example.test"]
    journal.close_session(maildrop, deleted=[], listed=None, now=NOW + module.FORGET_AFTER)
    assert journal.acceptances(maildrop) == []


def test_history_keeps_the_last_sessions_of_each_client(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT_SESSIONS", 3)

    def row(client: str, at: int) -> SessionRow:
        return SessionRow(client, at, at + 10, ExitCode.TEMPORARY, 2, 100, "cut")

    journal.record_sessions([row("a", n) for n in range(5)] + [row("b", 0)])
    kept = journal.recent_sessions(100)
    assert kept == [row("a", 2), row("a", 3), row("a", 4), row("b", 0)]
    assert kept[0].code is ExitCode.TEMPORARY
    assert journal.recent_sessions(2, "a") == [row("a", 3), row("a", 4)]
    assert journal.totals(13) == (4, 200)
    assert journal.totals(1000) == (0, 0)


def test_ids_are_not_used_again_after_a_restart(journal: Journal, path: str) -> None:
    maildrop = journal.maildrop(HOME)
    rows = [new_record(journal, maildrop, f"u{n}") for n in range(3)]
    journal.commit(rows, [])
    journal.withdraw([row.id for row in rows])
    journal.close()
    again = Journal.open(path)
    try:
        with ThreadPoolExecutor(4) as pool:
            issued = list(pool.map(lambda _: again.next_id(), range(400)))
        assert len(set(issued)) == 400
        assert min(issued) > max(row.id for row in rows)
    finally:
        again.close()


def test_ids_of_messages_under_way_survive_a_reopening(journal: Journal, path: str) -> None:
    journal.close()
    ids = MessageIds()
    journal = Journal.open(path, ids=ids)
    under_way = journal.next_id()
    journal.close()
    again = Journal.open(path, ids=ids)
    try:
        assert again.next_id() > under_way
        assert journal.next_id() != again.next_id()
    finally:
        again.close()


def test_a_failed_commit_is_not_retried_as_if_it_had_worked(journal: Journal, path: str) -> None:
    maildrop = journal.maildrop(HOME)
    new = new_record(journal, maildrop, "u1")
    with mock.patch.object(module, "_INSERT", "INSERT INTO nowhere VALUES (1)"), pytest.raises(JournalError):
        journal.commit([new], [])
    assert journal.broken
    with pytest.raises(JournalError, match="no such table: nowhere"):
        journal.commit([new], [])
    with pytest.raises(JournalError, match="no such table: nowhere"):
        journal.mark_delete_pending([new.id])
    journal.close()
    again = Journal.open(path)
    try:
        assert again.records(maildrop) == []
        again.commit([new], [])
    finally:
        again.close()


def test_a_transaction_is_all_or_nothing(journal: Journal, path: str) -> None:
    maildrop = journal.maildrop(HOME)
    new = new_record(journal, maildrop, "u1")
    with pytest.raises(JournalError):
        journal.commit([new, new], [])  # the second has the first one's id
    journal.close()
    again = Journal.open(path)
    try:
        assert again.records(maildrop) == []
    finally:
        again.close()


def test_durability_settings_are_in_force(journal: Journal) -> None:
    def pragma(name: str) -> object:
        return journal._connection.execute(f"PRAGMA {name}").fetchone()[0]

    assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)
    with journal.without_fsync():
        assert pragma("synchronous") == 1
        journal.record_hook_times([HookTime("a", "key", 1)])
    assert pragma("synchronous") == 2
    with pytest.raises(ZeroDivisionError), journal.without_fsync():
        journal.record_hook_times([HookTime("a", "key", 1 // 0)])
    assert pragma("synchronous") == 2


@pytest.mark.parametrize(
    "query", [module._UNFINISHED, module._RECORDS, module._FORGET_OLDER, history._SESSIONS_OF_CLIENT]
)
def test_large_journals_are_searched_by_index(journal: Journal, query: str) -> None:
    plan = journal._connection.execute("EXPLAIN QUERY PLAN " + query, (1,) * query.count("?")).fetchall()
    steps = [row[3] for row in plan if row[3].startswith(("SCAN", "SEARCH"))]
    assert all("USING" in step or "VIRTUAL TABLE" in step for step in steps), plan


def test_a_closed_journal_is_not_written(journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(JournalError):
        journal.mark_seen(1, ["u"])


class TestIdentity:
    ONE = Identity(b"1" * 32, False, "m@x", "Mon")

    def test_an_equal_digest_is_enough(self) -> None:
        assert self.ONE.same_as(Identity(b"1" * 32))

    def test_message_id_and_date_are_enough(self) -> None:
        assert self.ONE.same_as(Identity(b"2" * 32, False, "m@x", "Mon"))

    @pytest.mark.parametrize(
        "other",
        [
            Identity(b"2" * 32, False, "m@x", "Tue"),
            Identity(b"2" * 32, False, "n@x", "Mon"),
            Identity(b"2" * 32, True, "m@x", "Mon"),
            Identity(b"1" * 32, True, "m@x", "Mon"),
        ],
    )
    def test_anything_less_is_another_message(self, other: Identity) -> None:
        assert not self.ONE.same_as(other)

    def test_absent_fields_are_not_equal(self) -> None:
        assert not Identity(b"1", False, None, "Mon").same_as(Identity(b"2", False, None, "Mon"))
        assert not Identity(b"1", False, "m", None).same_as(Identity(b"2", False, "m", None))

    def test_two_wholes_differ_by_their_digest_alone(self) -> None:
        assert not Identity(b"1", True, "m", "Mon").same_as(Identity(b"2", True, "m", "Mon"))


def test_sqlite_is_not_left_open_by_a_refused_opening(path: str, journal: Journal) -> None:
    journal.close()
    failing = mock.patch.object(schema, "check_opened", side_effect=sqlite3.OperationalError("disk I/O error"))
    with failing, pytest.raises(JournalError, match=r"cannot be opened: disk I/O error"):
        Journal.open(path)
    Journal.open(path).close()


def test_a_doubt_ends_with_the_message_owed_or_kept(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    rows = [
        new_record(journal, maildrop, f"u{n}", delete_pending=False)._replace(doubt=Doubt.UNPROVEN) for n in range(3)
    ]
    journal.commit(rows, [])
    journal.commit([], [DeliveredMark(row.id, False) for row in rows])
    whole, short, neither = (row.id for row in rows)
    journal.mark_delete_pending([whole])
    journal.keep([short])
    journal.mark_delete_pending([short])
    assert {each.id: (each.state, each.delete_pending, each.doubt) for each in journal.records(maildrop)} == {
        whole: (MessageState.DELIVERED, True, Doubt.NONE),
        short: (MessageState.KEPT, False, Doubt.SHORT),
        neither: (MessageState.DELIVERED, False, Doubt.UNPROVEN),
    }
    journal.close_session(maildrop, deleted=[short], listed=None, now=NOW)
    assert only_state(journal, maildrop, short) is MessageState.KEPT, "it is deleted under no setting"


def only_state(journal: Journal, maildrop: int, identifier: int) -> MessageState:
    (state,) = [each.state for each in journal.records(maildrop) if each.id == identifier]
    return state


def test_answers_to_capa_are_remembered(journal: Journal) -> None:
    first = CapaHistory("pop.example.test", 110, True, ("SCRAM-SHA-256", "PLAIN"), 5.0, 0.0)
    journal.note_capa(first)
    journal.note_capa(other := CapaHistory("pop.example.test", 995, False, (), 0.0, 7.5))
    journal.note_capa(changed := first._replace(mechanisms=(), time=6.0))
    assert sorted(journal.capa_histories()) == sorted([other, changed])


def test_a_value_that_no_column_takes_breaks_nothing(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    with pytest.raises(JournalError, match="cannot hold a value"):
        journal.count_failures(maildrop, [("uid:u1", 2**63, "reason", False)], NOW)
    with pytest.raises(JournalError, match="cannot hold a value"):
        journal.count_failures(maildrop, [("uid:u1", 1, "reason \udcff", False)], NOW)
    assert not journal.broken
    assert journal.failures(maildrop) == {}
    journal.count_failures(maildrop, [("uid:u1", 1, "reason", False)], NOW)
    assert journal.failures(maildrop)["uid:u1"].failures == 1


def test_deleted_records_are_left_out_on_request(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    first, second = deliver(journal, maildrop, "u1", "u2")
    journal.close_session(maildrop, deleted=[first], listed=None, now=NOW)
    assert [record.id for record in journal.records(maildrop, deleted=False)] == [second]
    assert [record.id for record in journal.records(maildrop)] == [first, second]


def test_a_message_that_is_skipped_and_no_more(journal: Journal) -> None:
    maildrop = journal.maildrop(HOME)
    deliver(journal, maildrop, "delivered")
    journal.mark_seen(maildrop, ["seen"])
    journal.commit([new_record(journal, maildrop, "delivering")], [])
    assert journal.skip(maildrop, ["delivered", "seen", "delivering", "new", "new"], now=NOW) == {"delivering"}
    skipped = {each.uid for each in journal.records(maildrop) if each.state is MessageState.SKIPPED}
    assert skipped == {"delivered", "seen", "new"}
    assert not any(each.delete_pending for each in journal.records(maildrop) if each.uid == "delivered")
    journal.close_named(maildrop, ["new", "seen", "delivering"], now=NOW)
    states = {each.uid: each.state for each in journal.records(maildrop)}
    assert states == {"delivered": MessageState.SKIPPED, "delivering": MessageState.DELIVERING}
    deliver(journal, maildrop, "delivered")
    assert [each.state for each in journal.records(maildrop) if each.uid == "delivered"] == [MessageState.DELIVERED]


def test_a_maildrop_that_is_only_looked_for(journal: Journal) -> None:
    assert journal.find_maildrop(HOME) is None
    assert journal.maildrop(HOME) == journal.find_maildrop(HOME)
    assert journal.find_maildrop(WORK) is None
