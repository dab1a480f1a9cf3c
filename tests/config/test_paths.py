"""Folders, tokens, `~` and relative paths."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from tests.config.helpers import client, error_of, errors, load_text, settings_of, task
from tui_popretr import __version__
from tui_popretr.config.model import Paths


def paths(folder: Path, before: str = "", *, name: str = "rc.xml", var: str | None = None) -> Paths:
    return settings_of(load_text(folder, task(client(), before=before), name=name, var=var)).paths


def journal(folder: Path, path: str, **environ: str) -> str:
    text = task(client(), before=f"<journal>{path}</journal>")
    return settings_of(load_text(folder, text, environ=environ)).journal


def test_default_folders(tmp_path: Path) -> None:
    top = str(tmp_path)
    assert paths(tmp_path) == Paths(
        top=top,
        config=f"{top}/conf",
        var=f"{top}/var",
        logs=f"{top}/var/logs",
        tmp=f"{top}/var/tmp",
        system_name="myhost",
        announce_host="myhost",
        product_name=f"tui-popretr {__version__}",
    )


def test_root_is_the_parent_of_a_folder_called_conf(tmp_path: Path) -> None:
    assert paths(tmp_path, name="conf/rc.xml").top == str(tmp_path)
    assert paths(tmp_path, name="conf/rc.xml").config == str(tmp_path / "conf")
    assert paths(tmp_path, "<dirpaths><root>.</root></dirpaths>", name="conf/rc.xml").top == str(tmp_path)
    assert paths(tmp_path, name="config/rc.xml").top == str(tmp_path / "config")


def test_folders_that_are_given(tmp_path: Path) -> None:
    found = paths(
        tmp_path,
        "<dirpaths><root>/srv/mail</root><config>etc</config><var>%DIRTOP%/v</var><logs>%DIRVAR%/%SYSNAME%</logs>"
        "<tmp>/tmp/x</tmp></dirpaths>",
    )
    assert (found.top, found.config, found.var) == ("/srv/mail", "/srv/mail/etc", "/srv/mail/v")
    assert (found.logs, found.tmp) == ("/srv/mail/v/myhost", "/tmp/x")


def test_defaults_follow_root_and_var(tmp_path: Path) -> None:
    assert paths(tmp_path, "<dirpaths><root>/srv</root></dirpaths>").tmp == "/srv/var/tmp"
    assert paths(tmp_path, "<dirpaths><var>/v</var></dirpaths>").logs == "/v/logs"


def test_the_default_of_var_can_come_from_outside(tmp_path: Path) -> None:
    assert paths(tmp_path, var="/var/lib/tui-popretr").logs == "/var/lib/tui-popretr/logs"
    assert paths(tmp_path, "<dirpaths><var/></dirpaths>", var="/x").var == "/x"
    assert paths(tmp_path, "<dirpaths><var>y</var></dirpaths>", var="/x").var == str(tmp_path / "y")


def test_a_folder_can_only_use_those_before_it(tmp_path: Path) -> None:
    text = task(client(), before="<dirpaths><var>%DIRLOG%/x</var></dirpaths>")
    assert "%DIRLOG% is unknown here" in error_of(tmp_path, text)


def test_every_token(tmp_path: Path) -> None:
    top = str(tmp_path)
    before = "<application><prodname>prod</prodname></application>"
    text = task(
        client(),
        before=before + "<journal>%DIRTOP%|%DIRCONF%|%DIRVAR%|%DIRLOG%|%DIRTMP%|%SYSNAME%|%PRODNAME%</journal>",
    )
    assert settings_of(load_text(tmp_path, text)).journal == (
        f"{top}|{top}/conf|{top}/var|{top}/var/logs|{top}/var/tmp|myhost|prod"
    )


def test_relative_paths_are_relative_to_root(tmp_path: Path) -> None:
    assert journal(tmp_path, "a/../b/./c") == str(tmp_path / "b/c")
    assert journal(tmp_path, "/a//b/") == "/a/b"


def test_home(tmp_path: Path) -> None:
    assert journal(tmp_path, "~/j", HOME="/home/me") == "/home/me/j"
    assert journal(tmp_path, "~", HOME="/home/me") == "/home/me"
    assert journal(tmp_path, "~root/j") == pwd.getpwnam("root").pw_dir + "/j"
    assert journal(tmp_path, "a~/j") == str(tmp_path / "a~/j")
    text = task(client(), before="<journal>~no-such-user-here/j</journal>")
    assert "is not a user of this machine" in error_of(tmp_path, text)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("%DIRVRA%/x", "the token %DIRVRA% is unknown here; did you mean 'DIRVAR'?"),
        ("%dirvar%/x", "did you mean 'DIRVAR'?"),
        ("%U%/x", "the token %U% is unknown here"),
        ("%DT%/x", "the token %DT% is unknown here"),
        ("a\nb", "line break"),
    ],
)
def test_wrong_paths(tmp_path: Path, path: str, message: str) -> None:
    assert message in error_of(tmp_path, task(client(), before=f"<journal>{path}</journal>"))


def test_a_percent_sign_alone_is_nothing_special(tmp_path: Path) -> None:
    assert journal(tmp_path, "100%/50% %") == str(tmp_path / "100%/50% %")


def test_announced_names(tmp_path: Path) -> None:
    before = "<application><announcehost>mail.%SYSNAME%</announcehost><prodname>My Mail</prodname></application>"
    found = paths(tmp_path, before)
    assert (found.announce_host, found.product_name, found.system_name) == ("mail.myhost", "My Mail", "myhost")


def test_announced_names_cannot_break_the_received_header(tmp_path: Path) -> None:
    before = "<application><announcehost>a b</announcehost><prodname>a)\n(b</prodname></application>"
    assert len(errors(load_text(tmp_path, task(client(), before=before)))) == 2
