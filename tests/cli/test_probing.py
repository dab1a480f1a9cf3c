"""Probing a maildrop without retrieving anything (check --connect, init, mark-seen)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.making import client_settings, server_settings
from tests.support.passwords import PASSWORD
from tests.support.popserver import PipelineFault, PopServer, QuitFault, ServedMaildrop
from tests.support.streams import MemoryStream, memory_connection
from tui_popretr.cli.probing import probe_server
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.errors import (
    CommandRefused,
    GreetingRefused,
    LoginRejected,
    MailboxInUse,
    PopretrError,
    ProtocolViolation,
    ServerStalled,
    ServerUnreachable,
    StlsRefused,
    TlsFailed,
)
from tui_popretr.facts import TlsDetails
from tui_popretr.net.tls import TlsSession
from tui_popretr.session.exploration import Findings
from tui_popretr.session.services import ConnectionServices


class Look:
    """A server, and a look at it."""

    def __init__(self) -> None:
        self.drop = ServedMaildrop("alice", PASSWORD)
        for number in range(3):
            self.drop.add(b"Subject: %d\r\n\r\ntext\r\n" % number)
        self.server = PopServer([self.drop], keep_dialogue=True)
        self.streams: list[MemoryStream] = []
        self.unreachable = False

    async def __call__(self, tls: TlsPolicy | None = None, *, login: bool = True) -> Findings:
        client = client_settings(server=server_settings(tls=tls))
        async with trio.open_nursery() as nursery:

            async def handshake(session: TlsSession) -> TlsDetails:
                raise TlsFailed("no handshake in memory")

            async def connect(server: Server, timeout: float) -> MemoryStream:
                if self.unreachable:
                    raise ServerUnreachable("nobody there")
                stream, end = memory_connection(handshake=handshake)
                self.streams.append(stream)
                nursery.start_soon(self.server.serve_stream, end)
                return stream

            findings = await probe_server(client, ConnectionServices(), connect, 30.0, login=login)
        assert all(stream.closed for stream in self.streams)
        assert self.drop.retrieved == self.drop.deleted == []
        return findings


@trio_test
async def test_it_tells_what_there_is_and_takes_nothing(autojump_clock: MockClock) -> None:
    look = Look()
    findings = await look()
    assert findings.problem is None
    assert findings.remote == "192.0.2.7:110"
    assert findings.mechanism == "USERPASS"
    assert findings.messages == 3
    assert findings.octets == sum(message.size for message in look.drop.messages)
    assert findings.capabilities is not None
    assert findings.capabilities.pipelining
    said = [line.text for line in look.server.dialogue if line.sender == "C"]
    assert said[-1] == b"QUIT"
    assert not look.drop.locked


@trio_test
async def test_an_empty_maildrop(autojump_clock: MockClock) -> None:
    look = Look()
    look.drop.messages.clear()
    findings = await look()
    assert (findings.problem, findings.messages, findings.octets) == (None, 0, 0)


@trio_test
async def test_it_asks_for_one_thing_at_a_time(autojump_clock: MockClock) -> None:
    """So it tells what there is also where a server cannot do the PIPELINING that it offers."""
    look = Look()
    look.server.faults.pipeline = PipelineFault.CUT
    findings = await look()
    assert (findings.problem, findings.messages) == (None, 3)


def answers(verb: str, octets: bytes) -> Callable[[Look], None]:
    return lambda look: look.server.faults.answers.update({verb: octets})


def _lock(look: Look) -> None:
    look.drop.locked = True


def _change_password(look: Look) -> None:
    look.drop.password = "another"


def _vanish(look: Look) -> None:
    look.unreachable = True


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [
        (_vanish, ServerUnreachable),
        (answers("GREETING", b"-ERR no service \x1b\r\n"), GreetingRefused),
        (answers("GREETING", b"-ERR [IN-USE] wait\r\n"), MailboxInUse),
        (answers("GREETING", b"220 smtp.example.test ESMTP\r\n"), ProtocolViolation),
        (_change_password, LoginRejected),
        (_lock, MailboxInUse),
        (answers("STAT", b"-ERR no\r\n"), CommandRefused),
        (answers("STAT", b"+OK many\r\n"), ProtocolViolation),
        (answers("LIST", b"-ERR no\r\n"), CommandRefused),
        (lambda look: look.server.faults.stall.add("STAT"), ServerStalled),
    ],
)
@trio_test
async def test_it_tells_where_it_ended(
    trouble: Callable[[Look], None], problem: type[PopretrError], autojump_clock: MockClock
) -> None:
    look = Look()
    trouble(look)
    findings = await look()
    assert type(findings.problem) is problem
    assert findings.messages is None
    assert "\x1b" not in str(findings.problem)


@trio_test
async def test_a_server_that_knows_no_capa_or_uidl_is_fine(autojump_clock: MockClock) -> None:
    look = Look()
    look.server.faults.answers.update({"CAPA": b"-ERR unknown\r\n", "UIDL": b"-ERR unknown\r\n"})
    findings = await look()
    assert findings.problem is None
    assert findings.capabilities is None
    assert findings.messages == 3


@trio_test
async def test_a_server_that_does_not_answer_quit_is_not_waited_for(autojump_clock: MockClock) -> None:
    look = Look()
    look.server.faults.stall.add("QUIT")
    findings = await look()
    assert (findings.problem, findings.messages) == (None, 3)
    assert trio.current_time() == pytest.approx(5.0)


@pytest.mark.parametrize(("policy", "problem"), [(TlsPolicy(), TlsFailed), (TlsPolicy(latent=True), StlsRefused)])
@trio_test
async def test_without_tls_no_password_is_sent(
    policy: TlsPolicy, problem: type[PopretrError], autojump_clock: MockClock
) -> None:
    look = Look()
    findings = await look(policy)
    assert type(findings.problem) is problem
    assert not any(line.text.startswith((b"USER", b"PASS")) for line in look.server.dialogue)


@trio_test
async def test_a_server_that_hangs_up_at_capa_is_visited_without_it(autojump_clock: MockClock) -> None:
    look = Look()
    look.server.faults.hang_up.add("CAPA")
    findings = await look()
    assert (findings.problem, findings.capabilities, findings.messages) == (None, None, 3)
    assert findings.warnings[1:] == [
        (
            "pop.example.test:110 cannot handle CAPA: it is not sent again for a day."
            ' capa="never" in the client switches it off'
        )
    ]
    survey_of_it = await look(login=False)
    assert (survey_of_it.problem, survey_of_it.capabilities, bool(survey_of_it.stamp)) == (None, None, True)


@pytest.mark.parametrize(
    ("verb", "after_login"), [("STAT", True), ("LIST", True), ("USER", False), ("GREETING", False)]
)
@trio_test
async def test_after_a_login_the_address_is_right(verb: str, after_login: bool, autojump_clock: MockClock) -> None:
    look = Look()
    look.server.faults.answers[verb] = b"what?\r\n"
    problem = (await look()).problem
    assert isinstance(problem, ProtocolViolation)
    assert ("check that address and port are those of a POP3 server" in problem.advice) != after_login


# --- without a login --------------------------------------------------------------------------------------------------


@trio_test
async def test_a_survey_reports_the_offer_without_a_login(autojump_clock: MockClock) -> None:
    look = Look()
    findings = await look(login=False)
    assert findings.problem is None
    assert findings.stamp
    assert findings.capabilities is not None
    assert "CRAM-MD5" in findings.capabilities.sasl
    assert (findings.mechanism, findings.messages) == ("", None)
    assert [line.text for line in look.server.dialogue if line.sender == "C"] == [b"CAPA", b"QUIT"]
    assert look.drop.logins == 0


@trio_test
async def test_a_survey_of_a_server_that_tells_nothing(autojump_clock: MockClock) -> None:
    look = Look()
    look.server.faults.answers.update({"CAPA": b"-ERR unknown\r\n", "GREETING": b"+OK ready\r\n"})
    findings = await look(login=False)
    assert (findings.problem, findings.stamp, findings.capabilities) == (None, None, None)


@pytest.mark.parametrize("login", [True, False])
@trio_test
async def test_a_connection_closed_at_quit_loses_no_findings(login: bool, autojump_clock: MockClock) -> None:
    look = Look()
    look.server.faults.quit = QuitFault.CUT_BEFORE_UPDATE
    assert (await look(login=login)).problem is None


@trio_test
async def test_a_survey_ends_where_there_is_no_tls(autojump_clock: MockClock) -> None:
    look = Look()
    assert isinstance((await look(TlsPolicy(latent=True), login=False)).problem, StlsRefused)
    look.server.faults.answers["GREETING"] = b"-ERR go away\r\n"
    assert isinstance((await look(login=False)).problem, GreetingRefused)
