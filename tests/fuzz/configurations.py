"""Target: the files of a configuration; any octets give settings or problems with a place, and nothing else."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from tests.fuzz.expectations import harmless
from tests.fuzz.material import Material
from tui_popretr.config.describe import describe
from tui_popretr.config.directory import SINK, read_directory
from tui_popretr.config.problems import Problem, Report, Severity
from tui_popretr.config.reader import load

_TOP: Final = Path(__file__).parents[2]
_MAIN, _NAF, _DIRECTORY = range(3)
_BOMB: Final = (
    b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>'
)


def _seeds() -> list[bytes]:
    samples = [path.read_bytes() + bytes([_MAIN]) for path in sorted((_TOP / "config-samples").rglob("*.xml"))]
    return [
        *samples,
        (_TOP / "config-samples/mailismus/conf/naf.xml").read_bytes() + bytes([_NAF]),
        b"home.example\0me:secret\nyou\0all@home.example : me : you\nyou : me\nx : .\0" + bytes([_DIRECTORY]),
        *(
            f'<?xml version="1.0" encoding="{name}"?><pop3download/>'.encode() + bytes([_MAIN])
            for name in ("utf-7", "hz", "cp037", "latin-1", "rot13", "utf-16")
        ),
        *(
            f'<pop3download><clients><client id="a" recip="b"><server address="{host}"/>'.encode()
            + b"</client></clients></pop3download>"
            + bytes([_MAIN])
            for host in ("pöp.example", "ö..example", "xn--ö", "ö" * 70, "\u2024", "[::1%25]", "1.2.3.4.5")
        ),
        _BOMB + b"<pop3download><audit>&c;</audit></pop3download>" + bytes([_MAIN]),
        b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><pop3download>&y;</pop3download>' + bytes([_MAIN]),
        "<pop3download><audit>ä</audit></pop3download>".encode("utf-16") + bytes([_MAIN]),
    ]


SEEDS: Final = _seeds()
WORDS: Final = [
    b"<client ", b"<server ", b"<ssl ", b"<smtp>", b"<mda>", b"<folder>", b"<maildir>", b"</client>", b"<password ",
    b'="', b'"', b"/>", b"${", b"${HOME}", b"${X:y}", b"%DIRVAR%", b"%DT%", b"~", b"-", b"|", b"&#x", b"&amp;",
    b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<!DOCTYPE", b"<!ENTITY", b"<?xml version='1.0' encoding='utf-16'?>",
    b"9" * 30, b"4m", b"25M", b"[::1]:995", b"AUTO", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\xa4", b"xmlns:a='b' ",
    b"<oauth provider='custom' clientid='i'>", b"</oauth>", b"<tokenurl>", b"</tokenurl>", b"https://",
    b"http://[::1", b"@",
]  # fmt: skip


@lru_cache(maxsize=1)
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="fuzz-configuration-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _file(name: str, data: bytes) -> str:
    path = os.path.join(_folder(), name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def one_input(data: bytes) -> None:
    """Read the input as a configuration, a naf.xml, or the three files of a directory."""
    material = Material(data)
    kind = material.number(3)
    if kind == _DIRECTORY:
        report = Report("main")
        domains, users, aliases = (_file(name, material.line()) for name in ("domains", "users", "aliases"))
        directory = read_directory(domains, users, aliases, report)
        assert SINK not in directory.expand("all@home.example")
        _check(report.problems())
        return
    document = material.rest()
    if kind == _NAF:
        main = _file("rc.xml", b"<pop3download><clients/></pop3download>")
        loaded = load(main, environ={"HOME": _folder()}, now_host="host", naf=_file("naf.xml", document))
    else:
        loaded = load(_file("rc.xml", document), environ={"HOME": _folder(), "X": "x"}, now_host="host")
    failed = any(problem.severity is Severity.ERROR for problem in loaded.problems)
    assert failed == (loaded.settings is None)
    _check(loaded.problems)
    if loaded.settings is not None:
        repr(loaded.settings)
        for client in loaded.settings.clients:
            describe(client)


def _check(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        assert problem.path
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message
        harmless(problem.message, longest=2001)
