"""Memory does not grow with the size of a message that goes to a mail server."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.program.site import Site, client
from tests.scale.mailserver import taking
from tests.scale.popserver import USER, serving
from tests.scale.test_memory import MEGABYTE, SMALL, peak_of_a_run
from tests.support.passwords import PASSWORD
from tests.support.popserver import generated_message

LARGE = 100 * MEGABYTE

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")


def test_a_message_of_a_hundred_megabytes(tmp_path: Path) -> None:
    peaks = {}
    for size in (SMALL, LARGE):
        with taking() as server, serving(count=1, size=size) as address:
            site = Site(tmp_path / f"{size}")
            smtp = f"<smtp><sender>x@scale.test</sender><address>127.0.0.1:{server.port}</address></smtp>"
            whole = client("me", address, user=USER, password=PASSWORD, inside=smtp, omitreceivedheader="Y")
            site.configure(whole)
            peaks[size] = peak_of_a_run(site)
            expected = sha256()
            for chunk in generated_message(size, header=b"Message-ID: <0@scale.test>\r\n").chunks():
                expected.update(chunk)
            assert server.next_message() == (size, expected.hexdigest())
            assert len(site.audit()) == 1
    assert peaks[LARGE] - peaks[SMALL] < 20 * MEGABYTE, peaks
