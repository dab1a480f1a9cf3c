"""Streams without end cost no memory, no disk and no time: the real program, in a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.endless import ARRIVING, POLITE, serving
from tests.hostile.server import USER
from tests.program.site import Site, client
from tests.support.passwords import PASSWORD
from tests.support.size import NIGHTLY
from tests.support.waiting import PATIENCE
from tui_popretr.errors import ExitCode

MEGABYTE = 2**20
#: More than that hostile servers must not cost.
MOST = 20 * MEGABYTE
#: What a process may have at all: where there is no bound, the test is to fail and not the machine.
LIMIT = 1024 * MEGABYTE

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")


class Account:
    """A run of the program with one client for each of these servers, one after the other."""

    def __init__(self, folder: Path, servers: list[str]) -> None:
        self.site = site = Site(folder)
        with serving(servers) as addresses:
            clients = [
                client(
                    f"c{number}",
                    address,
                    user=USER,
                    password=PASSWORD,
                    auth="SASL_CRAM_MD5|USERPASS" if "challenge" in server else "",
                    inside="<maildir>%DIRVAR%/mail/%U%</maildir>",
                    omitreceivedheader="Y",
                )
                for number, (server, address) in enumerate(zip(servers, addresses, strict=True))
            ]
            site.configure(*clients, more='<concurrency total="1"/>')
            peak = folder / "peak"
            command = [sys.executable, "-m", "tests.scale.measured", str(peak), str(site.path), "--headless", "--once"]
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            ) as process:
                try:
                    resource.prlimit(process.pid, resource.RLIMIT_AS, (LIMIT, LIMIT))
                    _, self.said = process.communicate(timeout=2 * PATIENCE)
                finally:
                    process.kill()
        self.code = ExitCode(process.returncode)
        self.peak = int(peak.read_text())

    def arrived(self, number: int) -> int:
        """How many messages of a server have come; nothing unfinished may lie there."""
        mailbox = self.site.top / "var" / "mail" / f"c{number}"
        assert not list(mailbox.glob("tmp/*"))
        return len(list(mailbox.glob("new/*")))


def test_endless_streams(tmp_path: Path) -> None:
    """One after the other, so that nothing of one is left when the next begins."""
    polite = Account(tmp_path / "polite", [POLITE] * len(ARRIVING))
    assert polite.code is ExitCode.OK, polite.said
    hostile = Account(tmp_path / "hostile", list(ARRIVING))
    assert hostile.code is ExitCode.PROTOCOL, hostile.said
    assert hostile.peak - polite.peak < MOST
    assert {server: hostile.arrived(number) for number, server in enumerate(ARRIVING)} == ARRIVING


# Each alone tells whose fault it is; for a change the one of all together is enough.
@pytest.mark.parametrize("server", list(ARRIVING) if NIGHTLY else [max(ARRIVING)])
def test_an_endless_stream(server: str, tmp_path: Path) -> None:
    polite = Account(tmp_path / "polite", [POLITE])
    hostile = Account(tmp_path / "hostile", [server])
    assert hostile.peak - polite.peak < MOST
