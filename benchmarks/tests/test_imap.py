"""The benchmark of IMAP can be run, and the memory does not grow with the size of a message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.imap import WAYS, main
from tests.support.dovecot import require_imap


@pytest.fixture(autouse=True)
def server(needs_dovecot: None) -> None:
    require_imap()


def test_rates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--delay", "1", "--dir", str(tmp_path)]) == 0
    assert re.findall(r"^(.*?) +\d+ messages/s", capsys.readouterr().out, re.MULTILINE) == list(WAYS)


def test_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--memory", "--dir", str(tmp_path)]) == 0
    (rise,) = re.findall(r"rises by (-?[\d.]+) MB", capsys.readouterr().out)
    assert float(rise) < 20
