"""The session's commands and states, octet by octet over memory streams."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.popserver.dialogue import connected
from tests.support.popserver import ServedMaildrop
from tui_popretr.popserver import Message, PopServer


def _maildrop() -> ServedMaildrop:
    maildrop = ServedMaildrop("alice", "secret")
    maildrop.add(b"Subject: 1\r\n\r\nOne\r\n.\r\nlast\r\n")
    maildrop.add(b"Subject: 2\r\n\r\nTwo\r\n")
    maildrop.add(b"Subject: 3\r\n\r\nThree\r\n")
    return maildrop


@trio_test
async def test_a_whole_session() -> None:
    maildrop = _maildrop()
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        assert await client.ask("STAT") == "+OK 3 68"
        assert await client.rows("LIST") == ["1 28", "2 19", "3 21"]
        assert await client.rows("UIDL") == ["1 uid-1", "2 uid-2", "3 uid-3"]
        assert await client.ask("UIDL 2") == "+OK 2 uid-2"
        assert await client.ask("NOOP") == "+OK"
        assert (await client.ask("RETR 1")).startswith("+OK ")
        assert await client.body() == b"Subject: 1\r\n\r\nOne\r\n..\r\nlast\r\n"
        assert (await client.ask("TOP 1 1")).startswith("+OK")
        assert await client.body() == b"Subject: 1\r\n\r\nOne\r\n"
        assert (await client.ask("dele 1")).startswith("+OK")
        assert (await client.ask("QUIT")).startswith("+OK")
        assert await client.rest() == b""
    assert maildrop.deleted == ["uid-1"]
    assert [message.uid for message in maildrop.messages] == ["uid-2", "uid-3"]


@trio_test
async def test_a_deleted_message_is_not_found_until_rset() -> None:
    maildrop = _maildrop()
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.ask("DELE 2")
        for command in ("RETR 2", "DELE 2", "LIST 2", "UIDL 2", "TOP 2 0"):
            assert (await client.ask(command)).startswith("-ERR"), command
        assert [row.split()[0] for row in await client.rows("LIST")] == ["1", "3"]
        assert await client.rows("UIDL") == ["1 uid-1", "3 uid-3"]
        assert (await client.ask("STAT")).startswith("+OK 2 ")
        assert (await client.ask("RSET")).startswith("+OK")
        assert (await client.ask("STAT")).startswith("+OK 3 ")
        await client.ask("QUIT")
    assert maildrop.deleted == []
    assert len(maildrop.messages) == 3


@trio_test
async def test_only_quit_applies_deletions() -> None:
    maildrop = _maildrop()
    server = PopServer([maildrop])
    async with connected(server) as client:
        await client.log_in()
        assert (await client.ask("DELE 1")).startswith("+OK")
        assert maildrop.locked
    assert maildrop.deleted == []
    async with connected(server) as client:
        await client.log_in()
        assert (await client.ask("STAT")).startswith("+OK 3 ")


@trio_test
async def test_the_lock_is_released_when_quit_is_answered() -> None:
    maildrop = _maildrop()
    server = PopServer([maildrop])
    async with connected(server) as first:
        await first.log_in()
        async with connected(server) as second:
            await second.line()
            await second.ask("USER alice")
            assert (await second.ask("PASS secret")).startswith("-ERR [IN-USE] ")
            await first.ask("QUIT")
            await second.ask("USER alice")
            assert (await second.ask("PASS secret")).startswith("+OK")


@pytest.mark.parametrize(
    "command",
    [
        "STAT",
        "LIST",
        "UIDL",
        "RETR 1",
        "TOP 1 0",
        "DELE 1",
        "NOOP",
        "RSET",
        "PASS secret",
        "NONSENSE",
        "",
        "AUTH",
        "APOP",
    ],
)
@trio_test
async def test_before_login_these_fail(command: str) -> None:
    async with connected(PopServer([_maildrop()])) as client:
        await client.line()
        assert (await client.ask(command)).startswith("-ERR")
        assert (await client.ask("QUIT")).startswith("+OK")


@pytest.mark.parametrize(
    "command",
    ["USER alice", "PASS secret", "APOP alice x", "AUTH PLAIN", "STLS", "RETR", "RETR 0", "RETR 4", "RETR -1", "RETR ²",
     "RETR 1x", "RETR 99999999999999999999", "LIST 4", "UIDL x", "DELE", "TOP 1", "TOP 1 x", "TOP 9 1", "XYZZY"],
)  # fmt: skip
@trio_test
async def test_after_login_these_fail(command: str) -> None:
    async with connected(PopServer([_maildrop()])) as client:
        await client.log_in()
        assert (await client.ask(command)).startswith("-ERR")
        assert (await client.ask("STAT")).startswith("+OK 3 ")


@trio_test
async def test_pass_and_not_user_rejects_an_unknown_name() -> None:
    async with connected(PopServer([_maildrop(), ServedMaildrop("robot")])) as client:
        await client.line()
        for name, password in (("alice", "wrong"), ("nobody", "secret"), ("robot", ""), ("robot", "None")):
            assert (await client.ask(f"USER {name}")).startswith("+OK")
            assert (await client.ask(f"PASS {password}")).startswith("-ERR [AUTH] ")
        assert (await client.ask("PASS secret")).startswith("-ERR"), "each PASS wants its USER"


@trio_test
async def test_a_password_with_spaces_and_umlauts() -> None:
    async with connected(PopServer([ServedMaildrop("alice", "  zwei Wörter ")])) as client:
        await client.log_in(password="  zwei Wörter ")


@trio_test
async def test_apop() -> None:
    maildrop = _maildrop()
    server = PopServer([maildrop])
    stamps = set()
    for password, answer in (("secret", "+OK"), ("wrong", "-ERR [AUTH]")):
        async with connected(server) as client:
            match = re.search(r"<[!-~]+@[!-~]+>$", await client.line())
            assert match is not None
            stamps.add(match.group())
            digest = hashlib.md5(f"{match.group()}{password}".encode()).hexdigest()
            assert (await client.ask(f"APOP alice {digest}")).startswith(answer)
    assert len(stamps) == 2
    assert maildrop.logins == 1


@trio_test
async def test_an_endless_line_ends_the_session() -> None:
    maildrop = _maildrop()
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.ask("DELE 1")
        await client.send(b"NOOP " + b"x" * 8190)
        assert (await client.line()).startswith("-ERR")
        assert await client.rest() == b""
    assert maildrop.deleted == []


@trio_test
async def test_a_line_may_end_with_lf_alone() -> None:
    async with connected(PopServer([_maildrop()])) as client:
        await client.log_in()
        await client.send(b"NOOP\nSTAT\r\n")
        assert await client.line() == "+OK"
        assert (await client.line()).startswith("+OK 3 ")


@trio_test
async def test_a_silent_client_is_dropped_without_update(autojump_clock: MockClock) -> None:
    maildrop = _maildrop()
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.ask("DELE 1")
        await trio.sleep(599)
        await client.ask("NOOP")
        start = trio.current_time()
        assert await client.rest() == b""
        assert trio.current_time() - start == pytest.approx(600)
    assert maildrop.deleted == []
    assert not maildrop.locked


@trio_test
async def test_only_the_next_session_sees_new_mail() -> None:
    maildrop = _maildrop()
    server = PopServer([maildrop])
    async with connected(server) as client:
        await client.log_in()
        maildrop.add(b"new\r\n")
        assert (await client.ask("STAT")).startswith("+OK 3 ")
        await client.ask("QUIT")
    async with connected(server) as client:
        await client.log_in()
        assert (await client.ask("STAT")).startswith("+OK 4 ")


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"", b""),
        (b"no end", b"no end\r\n"),
        (b"bare\nlf\n", b"bare\nlf\n\r\n"),
        (b"nul \0 and \r cr\r\n", b"nul \0 and \r cr\r\n"),
        (b".\r\n..\r\n", b"..\r\n...\r\n"),
        (b"\xff\xfe8-bit\r\n", b"\xff\xfe8-bit\r\n"),
    ],
)
@trio_test
async def test_octets_are_sent_unchanged(data: bytes, wire: bytes) -> None:
    maildrop = ServedMaildrop("alice", "secret")
    maildrop.add(data)
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.ask("RETR 1")
        assert await client.body() == wire
        assert await client.ask("NOOP") == "+OK"


@trio_test
async def test_a_message_with_a_wrong_size_and_an_odd_uid() -> None:
    maildrop = ServedMaildrop("alice", "secret")
    maildrop.add(Message(7, lambda: [b"much more than seven\r\n"], uid="a b"))
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        assert await client.rows("LIST") == ["1 7"]
        assert await client.rows("UIDL") == ["1 a b"]


@trio_test
async def test_capabilities_in_both_states() -> None:
    capabilities = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "USER", "SASL CRAM-MD5"]
    async with connected(PopServer([_maildrop()])) as client:
        await client.line()
        expected = [*capabilities, "IMPLEMENTATION tui-popretr-popserver"]
        assert await client.rows("CAPA") == expected
        await client.ask("USER alice")
        await client.ask("PASS secret")
        assert await client.rows("CAPA") == expected


@trio_test
async def test_plain_is_not_offered_in_clear() -> None:
    async with connected(PopServer([_maildrop()])) as client:
        await client.line()
        assert await client.ask("AUTH PLAIN AGFsaWNlAHNlY3JldA==") == "-ERR this mechanism is not offered"


@trio_test
async def test_cram_md5() -> None:
    async with connected(PopServer([_maildrop()])) as client:
        await client.line()
        for password, answer in (("wrong", "-ERR [AUTH] "), ("secret", "+OK ")):
            challenge = base64.b64decode((await client.ask("AUTH CRAM-MD5")).removeprefix("+ "))
            digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
            response = base64.b64encode(f"alice {digest}".encode()).decode()
            assert (await client.ask(response)).startswith(answer)


@trio_test
async def test_an_unreadable_message_is_refused() -> None:
    maildrop = _maildrop()
    maildrop.unreadable.add("uid-2")
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        assert await client.ask("RETR 2") == "-ERR [SYS/PERM] this message cannot be read"
        assert (await client.ask("RETR 3")).startswith("+OK")


@trio_test
async def test_a_maildrop_limits_the_rate(autojump_clock: MockClock) -> None:
    maildrop = ServedMaildrop("alice", "secret", rate=100.0)
    maildrop.add(b"Subject: 1\r\n\r\n" + b"x" * 1000 + b"\r\n")
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        start = trio.current_time()
        await client.ask("RETR 1")
        await client.body()
        assert trio.current_time() - start == pytest.approx(10.4, abs=0.5)
