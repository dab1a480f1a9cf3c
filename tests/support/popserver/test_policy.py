"""What a policy changes, and what the server records."""

from __future__ import annotations

import ssl

import pytest
import trio
import trustme
from trio.testing import MockClock, trio_test

from tests.popserver.dialogue import Client, connected
from tests.support.popserver import CRAM, SSLONLY, PopServer, ServedMaildrop, ServerPolicy, Utf8Support


def _maildrop(name: str = "alice", password: str = "secret") -> ServedMaildrop:
    maildrop = ServedMaildrop(name, password)
    for number in range(1, 4):
        maildrop.add(b"Subject: %d\r\n\r\nText\r\n" % number)
    return maildrop


@trio_test
async def test_without_apop_the_greeting_has_no_timestamp() -> None:
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
async def test_a_server_with_few_capabilities() -> None:
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
async def test_sslonly_refuses_logins_in_clear() -> None:
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


@trio_test
async def test_pipelined_commands_are_counted() -> None:
    server = PopServer([_maildrop()])
    async with connected(server) as client:
        await client.log_in()
        for command in ("RETR 1", "RETR 2"):
            await client.ask(command)
            await client.body()
        assert server.pipelined == 0
        await client.send(b"NOOP\r\n" * 3)
        for _ in range(3):
            assert await client.line() == "+OK"
        await client.ask("QUIT")
    assert server.pipelined == 2
    assert server.connections == 1


@trio_test
async def test_complete_retrievals_are_recorded() -> None:
    maildrop = _maildrop()
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        for number in (2, 1):
            await client.ask(f"RETR {number}")
            await client.body()
    assert maildrop.retrieved == ["uid-2", "uid-1"]
    assert maildrop.logins == 1


# --- under TLS ------------------------------------------------------------------------------------------------------


async def _starttls(client: Client, context: ssl.SSLContext) -> Client:
    assert (await client.ask("STLS")).startswith("+OK")
    return Client(trio.SSLStream(client.stream, context, server_hostname="localhost"))


@pytest.mark.parametrize("commands", [["AUTH EXTERNAL ="], ["AUTH EXTERNAL", ""], ["AUTH EXTERNAL", "cm9ib3Q="]])
@trio_test
async def test_external(
    commands: list[str], authority: trustme.CA, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    authority.issue_cert("robot@example.test", common_name="robot").configure_cert(client_tls)
    robot = ServedMaildrop("robot")
    server = PopServer([_maildrop(), robot], tls=server_tls)
    async with connected(server) as clear:
        await clear.line()
        client = await _starttls(clear, client_tls)
        for command in commands[:-1]:
            assert await client.ask(command) == "+ "
        assert (await client.ask(commands[-1])).startswith("+OK")
    assert robot.logins == 1


@trio_test
async def test_external_without_a_certificate(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with connected(PopServer([ServedMaildrop("robot")], tls=server_tls)) as clear:
        await clear.line()
        client = await _starttls(clear, client_tls)
        assert (await client.ask("AUTH EXTERNAL =")).startswith("-ERR [AUTH]")


@trio_test
async def test_a_certificate_of_another_authority_is_rejected(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    trustme.CA().issue_cert("robot@example.test", common_name="robot").configure_cert(client_tls)
    robot = ServedMaildrop("robot")
    server = PopServer([robot], tls=server_tls)
    async with connected(server) as clear:
        await clear.line()
        client = await _starttls(clear, client_tls)
        with pytest.raises((trio.BrokenResourceError, EOFError)):
            await client.ask("AUTH EXTERNAL =")
    assert robot.logins == 0


@trio_test
async def test_sslonly_offers_everything_under_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with connected(PopServer([_maildrop()], policy=SSLONLY, tls=server_tls)) as clear:
        await clear.line()
        client = await _starttls(clear, client_tls)
        capabilities = await client.rows("CAPA")
        assert "SASL PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 EXTERNAL XOAUTH2 OAUTHBEARER" in capabilities
        assert "USER" in capabilities
        assert "STLS" not in capabilities
        assert (await client.ask("USER alice")).startswith("+OK")
        assert (await client.ask("PASS secret")).startswith("+OK")
