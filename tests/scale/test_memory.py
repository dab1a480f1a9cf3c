"""Memory does not grow with the size of a message, and hardly with the length of a listing."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from tests.program.site import Site, client
from tests.scale.popserver import USER, serving
from tests.support.passwords import PASSWORD
from tests.support.popserver import Message, generated_message
from tests.support.waiting import PATIENCE
from tui_popretr.delivery.sinks import sink_for
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop

MEGABYTE = 2**20
HUGE, SMALL = 1024 * MEGABYTE, 10_000
COUNT = 20_000

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")


def peak_of_a_run(site: Site) -> int:
    """Run a configuration once in a process of its own; return the most memory it used, in octets."""
    result = site.top / "peak"
    command = [sys.executable, "-m", "tests.scale.measured", str(result), str(site.path), "--headless", "--once"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    return int(result.read_text())


def site_for(folder: Path, address: str, *, keep: bool = False) -> Site:
    """A site that retrieves into a folder; `keep` leaves the mail on the server and takes only what is new."""
    site = Site(folder)
    mail = f"<downloads_directory>{folder / 'mail'}</downloads_directory><eol>native</eol>"
    kept = "NY"[keep]
    whole = client(
        "me",
        address,
        user=USER,
        password=PASSWORD,
        inside=mail,
        omitreceivedheader="Y",
        preserve=kept,
        newonly=kept,
    )
    site.configure(whole)
    return site


def test_a_message_of_a_gigabyte(tmp_path: Path) -> None:
    """Its line ends are converted on the way. Takes a gigabyte of disk."""
    peaks = {}
    for size in (SMALL, HUGE):
        with serving(count=1, size=size) as address:
            site = site_for(tmp_path / f"{size}", address)
            peaks[size] = peak_of_a_run(site)
            assert len(site.audit()) == 1
            assert f"Size={size};" in site.audit()[0]
        (file,) = (site.top / "mail").iterdir()
        sent = generated_message(size, header=b"Message-ID: <0@scale.test>\r\n")
        assert holds(file, sent)
        file.unlink()
    assert peaks[HUGE] - peaks[SMALL] < 20 * MEGABYTE, peaks


def holds(file: Path, message: Message) -> bool:
    """Whether the file holds the message, with LF for its line ends; they are compared piece by piece."""

    @cache  # nearly all pieces are the same one
    def converted(chunk: bytes) -> bytes:
        return chunk.replace(b"\r\n", b"\n")

    with file.open("rb") as opened:
        pieces = map(converted, message.chunks())
        return all(opened.read(len(piece)) == piece for piece in pieces) and not opened.read(1)


def test_a_listing_of_twenty_thousand(tmp_path: Path) -> None:
    """All of them retrieved before: nothing is to do but to find that out."""
    peaks = {}
    for count in (1, COUNT):
        with serving(count=count, size=1000) as address:
            site = site_for(tmp_path / f"{count}", address, keep=True)
            (settings,) = site.settings().clients
            with closing(Journal.open(str(site.journal))) as journal:
                key = Maildrop.of("127.0.0.1", settings.server.port, USER, sink_for(settings, journal.id).key)
                journal.mark_seen(journal.maildrop(key), [f"uid-{number + 1}" for number in range(count)])
            peaks[count] = peak_of_a_run(site)
        assert not (site.top / "mail").exists()
        assert f"no new messages, {count:,} left on the server" in site.trace(), site.trace()
    assert peaks[COUNT] - peaks[1] < 40 * MEGABYTE, peaks
