"""Who has accepted a message already is not sent it again, but for another one like it."""

from __future__ import annotations

from tui_popretr.journal.records import Acceptance
from tui_popretr.mail.identity import Identity
from tui_popretr.session.maildrop import AcceptedRecipients

A, B = "a@receiver.test", "b@receiver.test"
WHOLE = Identity(b"1" * 32, whole=True)
HEADER = Identity(b"2" * 32)


def test_identical_mails_without_uids_are_two_for_each() -> None:
    accepted = AcceptedRecipients([Acceptance(None, WHOLE, A), Acceptance(None, WHOLE, B), Acceptance(None, WHOLE, A)])
    assert accepted.take(None, WHOLE) == [A, B]
    assert accepted.take(None, WHOLE) == [A]
    assert accepted.take(None, WHOLE) == []


def test_an_address_is_the_same_in_whatever_case() -> None:
    accepted = AcceptedRecipients(
        [Acceptance("u1", HEADER, A), Acceptance("u1", HEADER, A.title()), Acceptance("u1", HEADER, B)]
    )
    assert accepted.take("u1", HEADER) == [A, B]


def test_another_message_of_that_uid_is_nobodys() -> None:
    accepted = AcceptedRecipients([Acceptance("u1", HEADER, A)])
    assert accepted.take("u1", Identity(b"3" * 32)) == []
    assert accepted.take("u2", HEADER) == []
    assert accepted.take("u1", HEADER) == [A]
