"""The session's commands and states, octet by octet over memory streams."""

from __future__ import annotations

import hashlib
import re

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.popserver.dialogue import connected
from tui_popretr.popserver import CRAM, SSLONLY, Message, PopServer, ServedMaildrop, ServerPolicy, Utf8Support


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
    assert maildrop.retrieved == ["uid-1"]
    assert [message.uid for message in maildrop.messages] == ["uid-2", "uid-3"]


@trio_test
async def test_a_deleted_message_is_as_if_it_were_not_there_until_rset() -> None:
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
async def test_deletions_take_effect_at_quit_and_not_when_the_client_is_gone() -> None:
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
async def test_the_lock_is_free_when_quit_is_answered() -> None:
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
async def test_user_does_not_tell_who_exists_and_pass_says_auth() -> None:
    async with connected(PopServer([_maildrop(), ServedMaildrop("robot")])) as client:
        await client.line()
        for name, password in (("alice", "wrong"), ("nobody", "secret"), ("robot", ""), ("robot", "None")):
            assert (await client.ask(f"USER {name}")).startswith("+OK")
            assert (await client.ask(f"PASS {password}")).startswith("-ERR [AUTH] ")
        assert (await client.ask("PASS secret")).startswith("-ERR"), "each PASS wants its USER"


@trio_test
async def test_a_password_may_hold_spaces_and_umlauts() -> None:
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
async def test_without_apop_there_is_no_stamp() -> None:
    async with connected(PopServer([_maildrop()], policy=CRAM)) as client:
        assert "<" not in await client.line()
        assert (await client.ask("APOP alice 5ebe2294ecd0e0f08eab7690d2a6ee69")).startswith("-ERR")
        assert (await client.ask("USER alice")).startswith("-ERR")


@trio_test
async def test_capabilities() -> None:
    policy = ServerPolicy(login_delay=30, expire="NEVER", implementation="test")
    async with connected(PopServer([_maildrop()], policy=policy)) as client:
        await client.line()
        expected = [
            "TOP",
            "UIDL",
            "RESP-CODES",
            "AUTH-RESP-CODE",
            "PIPELINING",
            "USER",
            "SASL CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256",
        ]
        expected += ["LOGIN-DELAY 30", "EXPIRE NEVER", "IMPLEMENTATION test"]
        assert await client.rows("CAPA") == expected
        await client.ask("USER alice")
        await client.ask("PASS secret")
        assert await client.rows("CAPA") == expected


@trio_test
async def test_a_poor_server() -> None:
    policy = ServerPolicy(uidl=False, top=False, pipelining=False, resp_codes=False, implementation=None)
    async with connected(PopServer([_maildrop()], policy=policy)) as client:
        await client.line()
        assert await client.rows("CAPA") == ["USER", "SASL CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256"]
        await client.ask("USER alice")
        assert not (await client.ask("PASS wrong")).startswith("-ERR [")
        await client.ask("USER alice")
        await client.ask("PASS secret")
        assert (await client.ask("UIDL")).startswith("-ERR")
        assert (await client.ask("TOP 1 0")).startswith("-ERR")
    async with connected(PopServer([_maildrop()], policy=ServerPolicy(capa=False, stls=False))) as client:
        await client.line()
        assert (await client.ask("CAPA")).startswith("-ERR")
        assert (await client.ask("STLS")).startswith("-ERR")


@trio_test
async def test_sslonly_lets_nobody_in_without_tls() -> None:
    async with connected(PopServer([_maildrop()], policy=SSLONLY)) as client:
        await client.line()
        rows = await client.rows("CAPA")
        assert not any(row.startswith(("USER", "SASL")) for row in rows)
        for command in ("USER alice", "APOP alice x", "AUTH PLAIN", "AUTH CRAM-MD5", "AUTH EXTERNAL"):
            assert await client.ask(command) == "-ERR only under TLS", command


@trio_test
async def test_login_delay(autojump_clock: MockClock) -> None:
    server = PopServer([_maildrop()], policy=ServerPolicy(login_delay=30))

    async def attempt() -> str:
        async with connected(server) as client:
            await client.line()
            await client.ask("USER alice")
            return await client.ask("PASS secret")

    assert (await attempt()).startswith("+OK")
    await trio.sleep(29)
    assert (await attempt()).startswith("-ERR [LOGIN-DELAY] ")
    await trio.sleep(2)
    assert (await attempt()).startswith("+OK")


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
    async with connected(PopServer([maildrop], policy=ServerPolicy(idle_timeout=600))) as client:
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
async def test_mail_that_arrives_is_for_the_next_session() -> None:
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
async def test_octets_are_sent_as_they_are(data: bytes, wire: bytes) -> None:
    maildrop = ServedMaildrop("alice", "secret")
    maildrop.add(data)
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.ask("RETR 1")
        assert await client.body() == wire
        assert await client.ask("NOOP") == "+OK"


@trio_test
async def test_a_message_may_lie_about_its_size_and_uid() -> None:
    maildrop = ServedMaildrop("alice", "secret")
    maildrop.add(Message(7, lambda: [b"much more than seven\r\n"], uid="a b"))
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        assert await client.rows("LIST") == ["1 7"]
        assert await client.rows("UIDL") == ["1 a b"]


@trio_test
async def test_the_dialogue_is_kept_on_request() -> None:
    server = PopServer([_maildrop()], keep_dialogue=True)
    async with connected(server) as client:
        await client.log_in()
        await client.ask("QUIT")
    assert [line.text for line in server.dialogue if line.sender == "C"] == [b"USER alice", b"PASS secret", b"QUIT"]
    assert [line.text[:3] for line in server.dialogue if line.sender == "S"] == [b"+OK"] * 4
    assert {line.connection for line in server.dialogue} == {1}


RAW = "Subject: Prüfung\r\nX-Other: 1\r\n\r\nText\r\n".encode()


@pytest.mark.parametrize(
    ("utf8", "command", "answer"),
    [
        (Utf8Support.UNKNOWN, "", RAW),
        (Utf8Support.SUBSTITUTED, "UTF8", RAW),
        (Utf8Support.REFUSED, "UTF8", RAW),
        (
            Utf8Support.SUBSTITUTED,
            "",
            b"X-Other: 1\r\nSubject: This message needs UTF8\r\n\r\nCannot display Unicode content.\r\n",
        ),
        (Utf8Support.REFUSED, "", None),
    ],
)
@trio_test
async def test_a_message_with_utf8_in_its_header(utf8: Utf8Support, command: str, answer: bytes | None) -> None:
    """RFC 6856 §2.1 and §5."""
    drop = ServedMaildrop("alice", "secret")
    drop.add(RAW)
    async with connected(PopServer([drop], policy=ServerPolicy(utf8=utf8))) as client:
        if command:
            greeting = await client.line()
            assert (await client.ask(command)).startswith("+OK")
            assert "UTF8" in await client.rows("CAPA")
            assert greeting.startswith("+OK")
            assert (await client.ask("USER alice")).startswith("+OK")
            assert (await client.ask("PASS secret")).startswith("+OK")
        else:
            await client.log_in()
        status = await client.ask("RETR 1")
        if answer is None:
            assert status.startswith("-ERR [UTF8]")
        else:
            assert await client.body() == answer
