"""The samples and the configuration reference: what they show loads, and nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.helpers import load_text, messages, settings_of
from tui_popretr.config.choices import AuthType, Rotation
from tui_popretr.config.describe import describe
from tui_popretr.config.directory import read_directory
from tui_popretr.config.grammar import ROOTS, Shape
from tui_popretr.config.model import FolderDestination, MaildirDestination
from tui_popretr.config.problems import Report, Severity
from tui_popretr.config.reader import load

_TOP = Path(__file__).parents[2]
SAMPLES = _TOP / "config-samples"
REFERENCE = _TOP / "docs/configuration.md"

#: What a sample warns of on purpose: the beginnings of the messages.
EXPECTED = {
    "corporate-certificate.xml": ["tspath: there is no file", "kspath: there is no file"] * 2,
    "plain-old-isp.xml": ["the password goes to pop.older.example in clear (USERPASS"],
}


def samples() -> list[Path]:
    return sorted(path for path in SAMPLES.rglob("*.xml") if path.name != "naf.xml")


def test_there_are_samples() -> None:
    assert len(samples()) >= 8


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_a_sample_loads(path: Path) -> None:
    loaded = load(str(path), environ={"HOME": "/home/me"}, now_host="myhost")
    found = settings_of(loaded)
    warned = messages(loaded, Severity.WARNING)
    expected = EXPECTED.get(path.name, [])
    assert len(warned) == len(expected), warned
    for message, start in zip(warned, expected, strict=True):
        assert message.startswith(start)
    assert found.clients
    for client in found.clients:
        assert describe(client)


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_a_sample_is_listed_and_commented(path: Path) -> None:
    assert f"`{path.relative_to(SAMPLES)}`" in (SAMPLES / "README.md").read_text()
    assert "<!--" in path.read_text()


def test_a_mailismus_installation_is_used_as_it_is() -> None:
    """Its folders are those of naf.xml, its users those of its directory; the rest is ignored."""
    top = SAMPLES / "mailismus"
    loaded = load(str(top / "conf/mailserver.xml"), environ={})
    found = settings_of(loaded)
    assert (found.paths.top, found.paths.config, found.paths.var) == (str(top), f"{top}/conf", f"{top}/var")
    assert found.paths.logs == f"{top}/var/logs"
    first, second = found.clients
    assert first.destination == MaildirDestination(f"{top}/var/ms/user1/Maildir", "user1")
    assert second.destination == FolderDestination(f"{top}/var/downloads/user2")
    assert found.disabled == ("isp3",)
    assert {problem.severity for problem in loaded.problems} == {Severity.NOTE}
    ignored = " ".join(message for message in messages(loaded, Severity.NOTE) if "ignored" in message)
    for name in ("mta", "imap", "pop3server", "database", "dotstuffing", "chmod_msg"):
        assert f"<{name}>" in ignored
    folder = found.paths.config
    directory = read_directory(
        f"{folder}/ms_local_domains", f"{folder}/ms_users", f"{folder}/ms_aliases", Report("main")
    )
    assert directory.expand("family@home.example") == ("user1@home.example", "user2@home.example")
    assert directory.expand("family@old.example") == ("user2@old.example",)


def test_another_naf_xml_can_be_named(tmp_path: Path) -> None:
    naf = tmp_path / "naf.xml"
    naf.write_text(f"<naf><dirpaths><config>{SAMPLES}/mailismus/conf</config><var>/srv/mail</var></dirpaths></naf>")
    found = settings_of(load(str(SAMPLES / "mailismus/conf/mailserver.xml"), environ={}, naf=str(naf)))
    assert found.journal == "/srv/mail/popretr.sqlite"


# --- docs/configuration.md ------------------------------------------------------------------------------------------


def _names(shape: Shape) -> Iterator[str]:
    yield from shape.attributes
    for name, inner in shape.elements.items():
        yield name
        yield from _names(inner)


def test_the_reference_names_everything_that_can_be_set() -> None:
    text = REFERENCE.read_text()
    names = {name for shape in ROOTS.values() for name in _names(shape)}
    names |= {auth_type.value for auth_type in AuthType} | {rotation.value for rotation in Rotation}
    missing = sorted(name for name in names if not re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", text))
    assert not missing


def _examples() -> list[str]:
    return re.findall(r"```xml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(_examples())))
def test_the_examples_of_the_reference_load(number: int, tmp_path: Path) -> None:
    text = _examples()[number]
    for name in ("domains", "users", "aliases"):
        (tmp_path / "conf").mkdir(exist_ok=True)
        (tmp_path / "conf" / name).write_text("me\n" if name == "users" else "")
    environ = {"HOME": str(tmp_path), "POP_PASSWORD": "x"}
    assert settings_of(load_text(tmp_path, text, environ=environ)).clients
