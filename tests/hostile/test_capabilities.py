"""What a server can say to CAPA: nonsense means nothing, and never costs the session."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import Behaviour, prove
from tests.hostile.script import CUT, SILENCE, Play, endlessly, slowly
from tests.hostile.server import HostileServer
from tests.hostile.service import Service
from tests.support.worlds import mail
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import CapaUse
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Level, Noted
from tui_popretr.session.exploration import CAPA_TIMEOUT

NONSENSE = (
    b"+OK\r\n\x00\xff\r\n\x1b]0;owned\x07\r\n \r\nLOGIN-DELAY soon\r\nEXPIRE -1\r\nSASL\r\n"
    + b"X" * 3000
    + b"\r\n.\r\n"
)

BEHAVIOURS = {
    "refused": Behaviour({"CAPA": b"-ERR what?\r\n"}, delivered=3),
    "nonsense": Behaviour({"CAPA": NONSENSE}, delivered=3),
    "nothing": Behaviour({"CAPA": b"+OK\r\n.\r\n"}, delivered=3),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
@trio_test
async def test_the_capabilities(behaviour: Behaviour, tmp_path: Path, autojump_clock: MockClock) -> None:
    await prove(behaviour, tmp_path)


#: What the server does, what is said of that, the exit code where it ends the session, and how long it lasts.
BREAKS: dict[str, tuple[Play, str, ExitCode, float]] = {
    "no status": (
        b"TOP\r\nUIDL\r\n.\r\n",
        "the server's answer is neither +OK nor -ERR: TOP",
        ExitCode.PROTOCOL,
        0.0,
    ),
    "a row without end": (
        (b"+OK\r\n", endlessly(b"x" * 60000)),
        "the server's answer to CAPA has more than 65536 octets",
        ExitCode.PROTOCOL,
        0.0,
    ),
    "rows without end": (
        (b"+OK\r\n", endlessly(b"X-MORE\r\n" * 5000)),
        "the server's answer to CAPA has more than 65536 octets",
        ExitCode.PROTOCOL,
        0.0,
    ),
    "no answer": (SILENCE, "the server has not answered CAPA within 30 s", ExitCode.TEMPORARY, CAPA_TIMEOUT),
    "never finished": (
        (b"+OK\r\nTOP\r\n", SILENCE),
        "the server has not answered CAPA within 30 s",
        ExitCode.TEMPORARY,
        CAPA_TIMEOUT,
    ),
    "hangs up": (CUT, "the server closed the connection before its answer to CAPA", ExitCode.TEMPORARY, 0.0),
    "cut": (
        (b"+OK\r\nTOP\r\n", CUT),
        "the server closed the connection in the middle of its answer to CAPA",
        ExitCode.TEMPORARY,
        0.0,
    ),
    "one octet at a time": (
        slowly(1.0, b"+OK\r\n" + b"X-MORE\r\n" * 1000),
        "the server has not answered CAPA within 30 s",
        ExitCode.TEMPORARY,
        CAPA_TIMEOUT,
    ),
}
EACH_BREAK = pytest.mark.parametrize(("play", "says", "code", "seconds"), BREAKS.values(), ids=BREAKS)


@EACH_BREAK
@trio_test
async def test_a_server_that_cannot_do_capa(
    play: Play, says: str, code: ExitCode, seconds: float, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It is asked on the first connection, and not on the second, nor at the next run."""
    notes = [
        f"{says}; connecting once more without CAPA",
        (
            "hostile.test:110 cannot handle CAPA: it is not sent again for a day."
            ' capa="never" in the client switches it off'
        ),
    ]
    service = await prove(Behaviour({"CAPA": play}, delivered=3, seconds=seconds, notes=notes), tmp_path)
    assert service.server.verbs(0) == ["CAPA"]
    assert "CAPA" not in service.server.verbs(1)
    assert "CAPA" not in service.server.verbs(2)


@EACH_BREAK
@trio_test
async def test_a_server_that_has_answered_capa_before(
    play: Play, says: str, code: ExitCode, seconds: float, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Whatever stands between the server and the client now gains nothing by breaking CAPA."""
    behaviour = Behaviour(
        {"CAPA": play},
        says,
        code,
        "the server has answered CAPA before",
        told=0,
        seconds=seconds,
        before={"STAT": b"-ERR no\r\n"},
    )
    service = await prove(behaviour, tmp_path)
    assert service.server.verbs(0) == ["CAPA"]


@EACH_BREAK
@trio_test
async def test_stls_is_not_left_out_with_capa(
    play: Play, says: str, code: ExitCode, seconds: float, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Also where CAPA breaks the connection before STLS, the password goes under TLS alone."""
    latent = {"tls": TlsPolicy(latent=True), "capa": CapaUse.STLS}
    behaviour = Behaviour(
        {"CAPA": play, "STLS": b"-ERR no\r\n"},
        "the server refuses STLS: no",
        ExitCode.PROTOCOL,
        told=0,
        seconds=seconds,
        notes=[f"{says}; connecting once more without CAPA"],
        client=latent,
    )
    service = await prove(behaviour, tmp_path)
    assert service.server.verbs(0) == ["CAPA"]
    assert service.server.verbs(1) == ["STLS"]


class CapaTwice(dict[str, Play]):
    """A script with one answer to CAPA before the login, and another one after it."""

    def __init__(self, server: HostileServer, before: bytes, after: Play) -> None:
        super().__init__()
        self._server, self._before, self._after = server, before, after

    def get(self, key: str, default: Play | None = None) -> Play | None:  # type: ignore[override]
        if key != "CAPA":
            return default
        return self._after if any(line.startswith(b"PASS") for line in self._server.heard[-1]) else self._before


@pytest.mark.parametrize(
    ("before", "messages"),
    [
        (b"-ERR what?\r\n", 8),
        (b"+OK\r\nTOP\r\nUIDL\r\n.\r\n", 8),
        (b"+OK\r\nTOP\r\nUIDL\r\nEXPIRE 30 USER\r\n.\r\n", 1),
    ],
    ids=["refused before", "answered before", "limits of the user"],
)
@EACH_BREAK
@trio_test
async def test_capa_after_the_login_that_breaks(
    play: Play,
    says: str,
    code: ExitCode,
    seconds: float,
    before: bytes,
    messages: int,
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    """Mail arrives in the same session, over a second connection that asks for it before the login only."""
    mails = {f"uid-{number}": mail(number) for number in range(messages)}
    server = HostileServer(mails, {})
    server.script = CapaTwice(server, before, play)
    service = Service(tmp_path, server)
    result = await service.run()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, messages, messages)
    (warning,) = [each.text for each in service.of(Noted) if each.level is Level.WARNING]
    assert warning == f"{says}; connecting once more, without CAPA after the login"
    assert server.verbs(0)[-1] == "CAPA"
    assert server.verbs(1).count("CAPA") == 1
    assert server.told == 2
