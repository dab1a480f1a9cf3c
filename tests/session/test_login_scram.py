"""SCRAM on the wire (RFC 5802): the server's proof, computing ours without blocking, and channel binding."""

from __future__ import annotations

import ssl
import threading
from base64 import b64encode
from typing import Any, NoReturn

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.session.attempts import AUTO, NO, PLAIN, SCRAM_1, SCRAM_256, USERPASS, Attempt, capa
from tests.support.clock import FakeClock
from tests.support.making import server_settings
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, PopServer, SaslFault, ServedMaildrop, ServerPolicy
from tests.support.popserver.policy import ALL
from tests.support.popserver_thread import running_server
from tests.support.streams import memory_connection
from tui_popretr.bus import Bus
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.errors import ExitCode, LoginRejected, PopretrError, ServerNotAuthenticated
from tui_popretr.facts import SessionId
from tui_popretr.net.connect import connect
from tui_popretr.pop3 import Capa
from tui_popretr.popserver.certificates import ca_path, server_context
from tui_popretr.sasl import Cancelled
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.login import LoginOptions, log_in


class Scram:
    """A login by SCRAM, in clear and by memory, on the real clock: the proof is made in a thread."""

    def __init__(self, fault: SaslFault = SaslFault.NONE) -> None:
        self.faults = Faults(sasl=fault)
        self.server = PopServer(
            [ServedMaildrop("alice", PASSWORD)], policy=ServerPolicy(clear=ALL), faults=self.faults, keep_dialogue=True
        )

    async def log_in(self, *methods: AuthType, binding: bytes | None = None, **settings: Any) -> str:
        stream, end = memory_connection()
        stream.binding = binding
        problem: PopretrError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.server.serve_stream, end)
            connection = Pop3Connection(stream, SessionId("a", 1), Bus(), FakeClock(), timeout=30.0)
            stamp = (await connection.greeting()).stamp
            await connection.call(Capa())
            try:
                return await log_in(connection, server_settings(auth_types=methods, **settings), LoginOptions(stamp))
            except PopretrError as error:
                problem = error
            finally:
                connection.close()
        assert problem is not None
        raise problem

    def commands(self) -> list[str]:
        """What the client has said, without what is in base64."""
        said = [line.text.decode() for line in self.server.dialogue if line.sender == "C"]
        return [line for line in said if line.startswith(("AUTH", "USER", "PASS", "APOP", "CAPA", "*"))]


@pytest.mark.parametrize("method", [SCRAM_256, SCRAM_1])
@pytest.mark.parametrize("initial_response", [True, False])
@trio_test
async def test_scram(method: AuthType, initial_response: bool) -> None:
    assert await Scram().log_in(method, initial_response=initial_response) == method.value


@pytest.mark.parametrize("fault", [SaslFault.WRONG_SIGNATURE, SaslFault.NO_SIGNATURE])
@pytest.mark.parametrize("method", [SCRAM_256, SCRAM_1, AUTO])
@trio_test
async def test_an_unproven_server_is_sent_no_password(fault: SaslFault, method: AuthType) -> None:
    scram = Scram(fault)
    methods = (method,) if method is AUTO else (method, PLAIN, USERPASS)
    with pytest.raises(ServerNotAuthenticated, match="password") as caught:
        await scram.log_in(*methods)
    assert "between you and the server" in caught.value.advice
    assert caught.value.exit_code is ExitCode.LOGIN
    assert sum(line.startswith("AUTH") for line in scram.commands()) == 1
    assert not any(line.startswith(("PASS", "APOP")) for line in scram.commands())


@pytest.mark.parametrize("fault", [SaslFault.CHANGED_NONCE, SaslFault.HUGE_ITERATIONS])
@trio_test
async def test_a_challenge_that_is_meant_to_harm_is_cancelled(fault: SaslFault) -> None:
    scram = Scram(fault)
    with pytest.raises(LoginRejected, match=r"nonce|iterations") as caught:
        await scram.log_in(AUTO)
    assert "breaks the rules" in caught.value.advice
    assert scram.commands() == ["CAPA", "AUTH SCRAM-SHA-256", "*"]


@trio_test
async def test_nobody_waits_for_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made in a thread, while the others go on; and a session that is stopped does not wait for it either."""
    begun, end = threading.Event(), threading.Event()
    here = threading.get_ident()

    def slow(*_: object) -> NoReturn:
        assert threading.get_ident() != here
        begun.set()
        end.wait(60)
        raise Cancelled("enough")

    monkeypatch.setattr("tui_popretr.sasl.scram.Scram.answer", slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Scram().log_in, SCRAM_256)
        assert await trio.to_thread.run_sync(begun.wait, 60)
        nursery.cancel_scope.cancel()
    assert not end.is_set()
    end.set()


# --- channel binding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [SCRAM_256, AUTO])
@pytest.mark.parametrize(
    ("mechanisms", "plus", "flag"),
    [
        ("SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "-PLUS", "p=tls-unique"),
        ("SCRAM-SHA-256 SCRAM-SHA-1-PLUS", "", "y"),
        ("SCRAM-SHA-256", "", "y"),
    ],
)
@trio_test
async def test_the_connection_is_bound_in_where_the_server_can_do_that(
    mechanisms: str, plus: str, flag: str, method: AuthType, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_popretr.sasl.scram.Scram.nonce", lambda _: "nonce")
    attempt = Attempt(method, initial_response=True, tls=TlsPolicy())
    attempt.binding = b"binding"
    initial = b64encode(f"{flag},,n=alice,r=nonce".encode()).decode()
    await attempt.fails(capa(mechanisms), (f"AUTH SCRAM-SHA-256{plus} {initial}", NO))


@trio_test
async def test_without_capabilities_no_channel_binding_is_claimed(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_popretr.sasl.scram.Scram.nonce", lambda _: "nonce")
    initial = b64encode(b"n,,n=alice,r=nonce").decode()
    for binding, asked in ((b"binding", [("CAPA", NO)]), (None, [])):
        attempt = Attempt(SCRAM_256, initial_response=True, tls=TlsPolicy())
        attempt.binding = binding
        await attempt.fails(*asked, (f"AUTH SCRAM-SHA-256 {initial}", NO))


async def _log_in_over_tls(port: int, method: AuthType) -> str:
    server = server_settings("localhost", port, auth_types=(method,), tls=TlsPolicy(trust_path=ca_path()))
    connection = Pop3Connection(
        await connect("localhost", port, timeout=30), SessionId("a", 1), Bus(), FakeClock(), timeout=30.0
    )
    try:
        await connection.start_tls(server)
        stamp = (await connection.greeting()).stamp
        await connection.call(Capa())
        return await log_in(connection, server, LoginOptions(stamp))
    finally:
        connection.close()


@pytest.mark.parametrize("method", [SCRAM_256, SCRAM_1, AUTO])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_over_real_tls(method: AuthType, version: ssl.TLSVersion) -> None:
    context = server_context()
    context.minimum_version = context.maximum_version = version
    with running_server([ServedMaildrop("alice", PASSWORD)], tls=context) as server:
        succeeded = trio.run(_log_in_over_tls, server.tls_port, method)
    expected = "SASL_SCRAM_SHA_1" if method is SCRAM_1 else "SASL_SCRAM_SHA_256"
    # TLS 1.3 has no channel binding that Python could give us
    bound = version is ssl.TLSVersion.TLSv1_2
    assert succeeded == expected + ("_PLUS" if bound else "")


def test_a_server_whose_plus_was_taken_out_on_the_way_refuses() -> None:
    context = server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    faults = Faults(answers={"CAPA": b"+OK\r\nSASL PLAIN SCRAM-SHA-256\r\n.\r\n"})
    with running_server([ServedMaildrop("alice", PASSWORD)], tls=context, faults=faults) as server:
        with pytest.raises(LoginRejected):
            trio.run(_log_in_over_tls, server.tls_port, AUTO)
        assert [line for line in server.said() if line.startswith((b"AUTH", b"USER"))] == [b"AUTH SCRAM-SHA-256"]
