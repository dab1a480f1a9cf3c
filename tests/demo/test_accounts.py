"""The accounts know how their first session has to end, and describe deviations."""

from __future__ import annotations

import email
from email.utils import parsedate_to_datetime

import pytest

from tests.support.clock import local
from tui_popretr.demo.accounts import DemoAccount, make_accounts
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult

NEWEST = local(2026, 11, 23)


def _account(account_id: str) -> DemoAccount:
    return next(account for account in make_accounts(NEWEST) if account.id == account_id)


def _result(messages: int, *, code: ExitCode = ExitCode.OK, error: str = "") -> SessionResult:
    return SessionResult(code, error, "", NEWEST, NEWEST, messages, messages * 100, messages, 0, 0)


def _retrieved(account: DemoAccount) -> DemoAccount:
    account.maildrop.update(account.maildrop.messages[: account.expected])
    return account


def test_names_are_unique() -> None:
    accounts = make_accounts(NEWEST)
    assert len({account.id for account in accounts}) == len({account.owner for account in accounts}) == len(accounts)


def test_the_same_time_gives_the_same_mail() -> None:
    def content() -> list[list[bytes]]:
        return [
            [b"".join(message.chunks()) for message in account.maildrop.messages]
            for account in make_accounts(NEWEST)
            if account.id != "huge"
        ]

    assert content() == content()


def test_a_watched_demo_takes_its_time() -> None:
    def seconds(watched: bool) -> dict[str, float]:
        drops = {account.id: account.maildrop for account in make_accounts(NEWEST, watched=watched)}
        return {
            name: sum(message.size for message in drop.messages) / drop.rate
            for name, drop in drops.items()
            if drop.rate is not None
        }

    assert seconds(watched=False) == {"slow": pytest.approx(2.2)}
    assert seconds(watched=True) == {"busy": pytest.approx(5), "slow": pytest.approx(25), "huge": pytest.approx(20)}


@pytest.mark.parametrize(
    ("account_id", "code"),
    [("busy", ExitCode.OK), ("wrongpass", ExitCode.LOGIN), ("refusing", ExitCode.TEMPORARY)],
)
def test_no_deviation(account_id: str, code: ExitCode) -> None:
    account = _retrieved(_account(account_id))
    assert account.deviation(_result(account.expected, code=code)) == ""


def test_expected_and_remaining_are_all_messages() -> None:
    for account in make_accounts(NEWEST):
        assert account.expected + account.remaining == len(account.maildrop.messages)


def test_only_one_account_has_a_wrong_password() -> None:
    wrong = [account.id for account in make_accounts(NEWEST) if account.password != account.maildrop.password]
    assert wrong == ["wrongpass"]


def test_deviations_are_described() -> None:
    busy = _account("busy")
    assert busy.deviation(None) == "its session did not end"
    assert busy.deviation(_result(119)) == "119 messages arrived, not 120"
    assert busy.deviation(_result(120)) == "120 messages left on the server, not 0"
    failed = _result(0, code=ExitCode.UNAVAILABLE, error="no reply")
    assert busy.deviation(failed) == "it had to succeed, but: no reply"
    busy.exit_code = ExitCode.LOGIN
    assert busy.deviation(_result(120)) == "it had to fail with code 77, but: it succeeded"


def test_the_oldest_mail_comes_first() -> None:
    for account in make_accounts(NEWEST):
        headers = [b"".join(message.chunks())[:500] for message in account.maildrop.messages]
        dates = [parsedate_to_datetime(email.message_from_bytes(header)["Date"]) for header in headers]
        assert dates == sorted(dates)
        assert dates[-1] == NEWEST
