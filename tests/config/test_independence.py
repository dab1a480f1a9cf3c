"""An error never hides one that does not depend on it, and what follows from an error is not reported as well."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest

from tests.config.helpers import errors, load_text, task

#: The parts of a client that is in order; "-" leaves an attribute or element out.
SOUND = {
    "id": "a",
    "recip": "user1",
    "attribute": "",
    "address": "pop.example.net",
    "username": "me",
    "password": "<password>pw</password>",
    "authtypes": "USERPASS",
    "ssl": "",
    "target": "<maildir>m</maildir>",
    "element": "",
    "eol": "",
}


def text_of(parts: dict[str, str]) -> str:
    def attribute(name: str) -> str:
        return "" if parts[name] == "-" else f'{name}="{parts[name]}"'

    username = "" if parts["username"] == "-" else f"<username>{parts['username']}</username>"
    return f"""<client {attribute("id")} {attribute("recip")} {parts["attribute"]}>
        <server {attribute("address")}>
          {username} {parts["password"]} <authtypes>{parts["authtypes"]}</authtypes>
        </server>
        <ssl {parts["ssl"]}/> {parts["eol"]} {parts["target"]} {parts["element"]}
      </client>"""


@dataclass(frozen=True)
class Mistake:
    """One mistake: the parts it changes, and how its error begins."""

    message: str
    parts: dict[str, str]

    def __str__(self) -> str:
        return self.message


def mistake(message: str, **parts: str) -> Mistake:
    return Mistake(message, parts)


SMTP = "<smtp><sender>a@b.example</sender>{}</smtp>"
MISTAKES = [
    mistake("attribute id is missing", id="-"),
    mistake("id: 'a/b' contains a /", id="a/b"),
    mistake("attribute recip is missing", recip="-"),
    mistake("recip: 'a/b' contains a /", recip="a/b"),
    mistake("unknown attribute frobnicate in <client>", attribute='frobnicate="Y"'),
    mistake("unknown attribute frq in <client>", attribute='frq="5m"'),
    mistake("unknown attribute kspass in <client>; it belongs in <ssl>", attribute='kspass="x"'),
    mistake("freq: 'x' is not a time", attribute='freq="x"'),
    mistake('deleteafter goes with preserve="Y"', attribute='deleteafter="1d"'),
    mistake("attribute address is missing", address="-"),
    mistake("address: ", address="::1"),
    mistake("no login method can be used", username="-"),
    mistake("<username>: ", username="a&#10;b"),
    mistake("no login method can be used", password=""),
    mistake("the password comes from one place only", password='<password env="A">x</password>'),
    mistake("command: the quoting", password='<password command="pass \'x"/>'),
    mistake("no login method can be used", authtypes="SASL_EXTERNAL"),
    mistake("<authtypes>: 'NONE' is not a login method", authtypes="NONE"),
    mistake("unknown attribute adress in <server>", address='pop.example.net" adress="x'),
    mistake("unknown attribute frobnicate in <ssl>", ssl='frobnicate="Y"'),
    mistake("latent: 'x' is neither", ssl='latent="x"'),
    mistake("timeout: 'x' is not a time", ssl='timeout="x"'),
    mistake("cert names an entry", ssl='cert="me"'),
    mistake("<eol>: 'lf' is not one of", eol="<eol>lf</eol>"),
    mistake("<maildir>: the token %X% is unknown", target="<maildir>%X%</maildir>"),
    mistake("<sender> is missing", target="<smtp/>"),
    mistake("<address>: 'x y' is not a host name", target=SMTP.format("<address>x y</address>")),
    mistake("<username> needs a <password>", target=SMTP.format("<username>u</username>")),
    mistake("unknown <usernam> in <smtp>", target=SMTP.format("<usernam>u</usernam><password>p</password>")),
    mistake("a socket needs LMTP", target=SMTP.format("<address>/run/lmtp</address>")),
    mistake("attribute command is missing", target="<mda/>"),
    mistake("timeout: the time must be more", target='<mda command="x" timeout="0"/>'),
]

#: With these login methods unknown nothing can be said of what they need.
UNKNOWN_METHODS = "<authtypes>: 'NONE' is not a login method"


def independent(one: Mistake, other: Mistake) -> bool:
    if one.message == other.message or one.parts.keys() & other.parts.keys():
        return False
    return {one.message, other.message} != {UNKNOWN_METHODS, "no login method can be used"}


@pytest.mark.parametrize("one", MISTAKES, ids=str)
def test_each_mistake_is_one_error(tmp_path: Path, one: Mistake) -> None:
    (found,) = errors(load_text(tmp_path, task(text_of(SOUND | one.parts)), environ={"A": "x"}))
    assert found.startswith(one.message)


def test_two_independent_mistakes_are_two_errors(tmp_path: Path) -> None:
    pairs = [pair for pair in combinations(MISTAKES, 2) if independent(*pair)]
    assert len(pairs) > 300
    for one, other in pairs:
        found = errors(load_text(tmp_path, task(text_of(SOUND | one.parts | other.parts)), environ={"A": "x"}))
        missing = [each.message for each in (one, other) if not any(text.startswith(each.message) for text in found)]
        assert not missing, f"{one} + {other}: {found}"
        assert len(found) == 2, f"{one} + {other}: {found}"


# --- the directory's files ------------------------------------------------------------------------------------------

DIRECTORY = "<directory><domains>domains</domains><users>users</users><aliases>aliases</aliases></directory>"


@pytest.mark.parametrize("broken", ["domains", "users", "aliases"])
@pytest.mark.parametrize("how", ["missing", "a folder", "no text"])
def test_a_directory_file_that_cannot_be_read_is_one_error(tmp_path: Path, broken: str, how: str) -> None:
    files = {"domains": "here.example\n", "users": "user1\nuser2\n", "aliases": "both : user1 : user2\n"}
    for name, text in files.items():
        if name != broken:
            (tmp_path / name).write_text(text)
        elif how == "a folder":
            (tmp_path / name).mkdir()
        elif how == "no text":
            (tmp_path / name).write_bytes(b"\xff\n")
    smtp = SMTP.format("")
    clients = [
        text_of(SOUND | {"id": f"c{number}", "username": f"u{number}", "recip": recip, "target": target})
        for number, (recip, target) in enumerate(
            [("user1", ""), ("user2", ""), ("both@here.example", smtp), ("user1@here.example", smtp)]
        )
    ]
    (found,) = load_text(tmp_path, task("".join(clients), before=DIRECTORY)).problems
    assert found.path == str(tmp_path / broken)


def test_a_broken_aliases_file_does_not_hide_an_unknown_user(tmp_path: Path) -> None:
    for name, data in (("domains", b"here.example\n"), ("users", b"user2\n"), ("aliases", b"\xff\n")):
        (tmp_path / name).write_bytes(data)
    found = errors(load_text(tmp_path, task(text_of(SOUND | {"target": ""}), before=DIRECTORY)))
    assert found == ["recip 'user1' is not in the directory's users; did you mean 'user2'?", "the line is not UTF-8"]
