"""A client that is put into the text of an existing configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.init.test_text import CLIENT
from tui_popretr.cli.init.insertion import with_client
from tui_popretr.cli.init.text import client_text, configuration_text
from tui_popretr.config.model import Settings
from tui_popretr.config.reader import load
from tui_popretr.errors import ConfigurationError

NEW = replace(CLIENT, id="new")
ONE = (
    '<client id="old" recip="me"><server address="pop.example.net"><username>me</username><password env="P"/></server>'
    "<maildir>m</maildir></client>"
)
CONFIGURATION = Path(__file__).parents[3] / "config-samples"


def ids(folder: Path, data: bytes) -> list[str]:
    path = folder / "c.xml"
    path.write_bytes(data)
    settings = load(str(path), environ={"HOME": "/home/me", "P": ""}).settings
    assert isinstance(settings, Settings)
    return [client.id for client in settings.clients]


def changed(text: str) -> str:
    """The text with the new client as `[NEW]`, with its indentation."""
    added = with_client(text.encode(), NEW).decode()
    begin, end = added.index('<client id="new"'), added.rindex("</client>") + len("</client>")
    begin = added.rfind("<!--", 0, begin) if "<!-- freq:" in added[:begin] else begin
    return f"{added[:begin]}[NEW]{added[end:]}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"<pop3download>\n  <clients>\n    {ONE}\n\n    <!-- end -->\n  </clients>\n</pop3download>",
            f"<pop3download>\n  <clients>\n    {ONE}\n\n    [NEW]\n\n    <!-- end -->\n  </clients>\n</pop3download>",
        ),
        (
            f"<pop3download>\n\t<clients>\n\t\t{ONE} <!-- old -->\n\t</clients>\n</pop3download>",
            f"<pop3download>\n\t<clients>\n\t\t{ONE} <!-- old -->\n\t\t[NEW]\n\t</clients>\n</pop3download>",
        ),
        (
            f"<pop3download><clients>{ONE}</clients></pop3download>",
            f"<pop3download><clients>{ONE}\n  [NEW]\n</clients></pop3download>",
        ),
        (
            "<pop3download>\n <clients/>\n</pop3download>",
            "<pop3download>\n <clients>\n   [NEW]\n </clients>\n</pop3download>",
        ),
        (
            "<pop3download>\n <clients >\n </clients >\n</pop3download>",
            "<pop3download>\n <clients >\n   [NEW]\n </clients >\n</pop3download>",
        ),
        (
            f"<x>\r\n<pop3download>\r\n<clients>\r\n{ONE}\r\n</clients>\r\n</pop3download>\r\n</x>",
            f"<x>\r\n<pop3download>\r\n<clients>\r\n{ONE}\r\n\r\n  [NEW]\r\n</clients>\r\n</pop3download>\r\n</x>",
        ),
    ],
    ids=["after the last", "before the end tag", "one line", "empty element", "no client", "within another"],
)
def test_the_place(before: str, after: str) -> None:
    assert changed(before) == after


def test_what_looks_like_a_place_and_is_none() -> None:
    comment = "<!-- <clients/> </clients> <client/> -->"
    text = f'<pop3download>{comment}<x a="</clients>"/><clients>{ONE}\n</clients>{comment}</pop3download>'.replace(
        'a="</clients>"', 'a="&lt;/clients>"'
    )
    assert changed(text).index("[NEW]") == text.index("\n</clients>") + len("\n\n  ")


def test_line_ends_and_tabs() -> None:
    text = f"<pop3download>\r\n\t<clients>\r\n\t\t{ONE}\r\n\t</clients>\r\n</pop3download>\r\n"
    added = with_client(text.encode(), NEW).decode()
    assert added.count("\n") == added.count("\r\n")
    assert "\r\n\t\t\t<server address=" in added
    assert "\r\n\t\t\t\t<username>" in added


def test_the_explanation_is_not_repeated() -> None:
    text = configuration_text(CLIENT)
    added = with_client(text.encode(), NEW).decode()
    assert added.count("<!-- freq:") == 1
    assert added.replace(f"\n\n{client_text(NEW, beside=text)}", "") == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = (
        f'<?xml version="1.0" encoding="{declared}"?>\n<!-- Gruß -->\n<pop3download>\n<clients>\n{ONE}\n'
        "</clients>\n</pop3download>\n"
    )
    client = replace(NEW, server=replace(NEW.server, username="жё@example.net"))
    added = with_client(text.encode(encoding), client)
    assert ids(tmp_path, added) == ["old", "new"]
    assert "<!-- Gruß -->" in added.decode(encoding)
    settings = load(str(tmp_path / "c.xml"), environ={"HOME": "/home/me", "P": ""}).settings
    assert settings is not None
    assert settings.clients[1].server.username == "жё@example.net"


@pytest.mark.parametrize("text", ["<pop3download/>", "<x><y><pop3download><clients/></pop3download></y></x>"])
def test_no_place(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no <clients>"):
        with_client(text.encode(), NEW)


@pytest.mark.parametrize("path", sorted(CONFIGURATION.glob("*.xml")), ids=lambda path: path.name)
def test_every_sample_takes_one(path: Path) -> None:
    data = path.read_bytes()
    if b"<clients" not in data:
        pytest.skip("it has no clients")
    added = with_client(data, NEW)
    block = client_text(NEW, beside=data.decode())
    assert len(added) >= len(data) + len(block.split()[0])
    assert added.count(b"\n") == data.count(b"\n") + block.count("\n") + 2


_SPACE = st.text(" \t\n", max_size=4)


@given(_SPACE, _SPACE, _SPACE, st.sampled_from(["", ONE, f"<!-- </client> -->{ONE}", f"{ONE}<!-- x -->"]))
def test_any_layout(before: str, between: str, after: str, old: str) -> None:
    text = f"<pop3download>{before}<clients>{between}{old}{after}</clients>\n</pop3download>"
    added = with_client(text.encode(), NEW).decode()
    start = next((n for n, (a, b) in enumerate(zip(text, added, strict=False)) if a != b), len(text))
    inserted = len(added) - len(text)
    assert any(added[:at] + added[at + inserted :] == text for at in range(max(0, start - inserted), start + 1))
    assert added.index('id="new"') > added.index("<clients>")
