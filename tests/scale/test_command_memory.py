"""Memory does not grow with the size of a message that goes to a command."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.program.site import Site, client
from tests.scale.popserver import USER, serving
from tests.scale.test_memory import MEGABYTE, SMALL, peak_of_a_run
from tests.support.passwords import PASSWORD
from tests.support.popserver import generated_message

LARGE = 100 * MEGABYTE

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")


def test_a_message_of_a_hundred_megabytes(tmp_path: Path) -> None:
    peaks = {}
    for size in (SMALL, LARGE):
        site = Site(tmp_path / f"{size}")
        told = site.top / "told"
        with serving(count=1, size=size) as address:
            inside = f"<mda command=\"sh -c 'sha256sum >{told}'\"/><eol>crlf</eol>"
            whole = client("me", address, user=USER, password=PASSWORD, inside=inside, omitreceivedheader="Y")
            site.configure(whole)
            peaks[size] = peak_of_a_run(site)
        expected = sha256()
        for chunk in generated_message(size, header=b"Message-ID: <0@scale.test>\r\n").chunks():
            expected.update(chunk)
        assert told.read_text().split()[0] == expected.hexdigest()
        assert len(site.audit()) == 1
    assert peaks[LARGE] - peaks[SMALL] < 20 * MEGABYTE, peaks
