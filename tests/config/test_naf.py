"""naf.xml, the file of Mailismus's framework: its folders count behind the configuration's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.config.helpers import client, errors, messages, settings_of, task
from tui_popretr.config.model import Paths
from tui_popretr.config.problems import Severity
from tui_popretr.config.reader import Loaded, load

NAF = """\
<naf>
  <baseport>12000</baseport>
  <dirpaths>
    <root>.</root>
    <config>%DIRTOP%/conf</config>
    <var>%DIRTOP%/data</var>
    <logs>/var/log/mail</logs>
  </dirpaths>
  <dispatchers><dispatcher name="pop"><naflets><naflet name="retriever"/></naflets></dispatcher></dispatchers>
</naf>
"""


def load_with(
    folder: Path,
    naf: str | bytes | None,
    *,
    before: str = "",
    name: str = "conf/mailserver.xml",
    named: str | None = None,
    var: str | None = None,
) -> Loaded:
    """Load a configuration with this naf.xml in its folder; `named` is the file of --naf."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(task(client(), before=before), encoding="utf-8")
    path.chmod(0o600)
    if naf is not None:
        (path.parent / "naf.xml").write_bytes(naf.encode() if isinstance(naf, str) else naf)
    return load(str(path), environ={"POP_VAR": "/from/environment"}, now_host="myhost", var=var, naf=named)


def paths(loaded: Loaded) -> Paths:
    return settings_of(loaded).paths


def test_its_folders_count(tmp_path: Path) -> None:
    found = paths(load_with(tmp_path, NAF))
    top = str(tmp_path)
    assert (found.top, found.config, found.var) == (top, f"{top}/conf", f"{top}/data")
    assert (found.logs, found.tmp) == ("/var/log/mail", f"{top}/data/tmp")


def test_the_configuration_s_own_come_first(tmp_path: Path) -> None:
    found = paths(load_with(tmp_path, NAF, before="<dirpaths><var>own</var><tmp>%DIRLOG%/t</tmp></dirpaths>"))
    assert (found.var, found.logs, found.tmp) == (f"{tmp_path}/own", "/var/log/mail", "/var/log/mail/t")
    found = paths(load_with(tmp_path, NAF, before="<dirpaths><root>/srv</root></dirpaths>"))
    assert (found.top, found.var) == ("/srv", "/srv/data")


def test_it_comes_before_the_var_folder_of_the_usual_places(tmp_path: Path) -> None:
    assert paths(load_with(tmp_path, NAF, var="/var/lib/tui-popretr")).var == f"{tmp_path}/data"
    assert paths(load_with(tmp_path, "<naf/>", var="/var/lib/tui-popretr")).var == "/var/lib/tui-popretr"


def test_one_that_is_named_counts_instead_and_root_begins_there(tmp_path: Path) -> None:
    (tmp_path / "suite/conf").mkdir(parents=True)
    named = tmp_path / "suite/conf/naf.xml"
    named.write_text(NAF)
    loaded = load_with(tmp_path / "mine", "<naf><dirpaths><var>/no</var></dirpaths></naf>", named=str(named))
    assert (paths(loaded).top, paths(loaded).var) == (f"{tmp_path}/suite", f"{tmp_path}/suite/data")
    # a root in the configuration is relative to the folder of the configuration
    own = "<dirpaths><root>here</root></dirpaths>"
    assert paths(load_with(tmp_path / "mine", None, before=own, named=str(named))).top == f"{tmp_path}/mine/here"


def test_a_linked_configuration_has_the_naf_xml_of_its_target(tmp_path: Path) -> None:
    load_with(tmp_path / "suite", NAF)
    (tmp_path / "mail.xml").symlink_to("suite/conf/mailserver.xml")
    loaded = load(str(tmp_path / "mail.xml"), environ={}, now_host="myhost")
    assert paths(loaded).var == f"{tmp_path}/suite/data"


def test_environment_variables_are_replaced(tmp_path: Path) -> None:
    assert paths(load_with(tmp_path, "<naf><dirpaths><var>${POP_VAR}/x</var></dirpaths></naf>")).var == (
        "/from/environment/x"
    )


def test_the_use_of_naf_xml_and_unknown_folders_are_reported(tmp_path: Path) -> None:
    naf = NAF.replace("<var>%DIRTOP%/data</var>", "<vra>x</vra>")
    loaded = load_with(tmp_path, naf)
    place = f"{tmp_path}/conf/naf.xml"
    assert [str(problem) for problem in loaded.problems] == [
        f"{place}:3:3: note: the folders are those of this file, where the configuration does not name its own",
        f"{place}:6:5: warning: unknown 'vra' in <dirpaths> is ignored; did you mean 'var'?",
    ]
    assert paths(loaded).var == f"{tmp_path}/var"


@pytest.mark.parametrize(
    ("naf", "message"),
    [
        ("<naf><dirpaths>", ":1:16: error: the file ends too early; <dirpaths> of line 1 is still open"),
        ("<mailserver/>", ":1:1: error: the root element is 'mailserver', but the framework's file begins with <naf>"),
        ("<naf><dirpaths><var>%DIRVRA%</var></dirpaths></naf>", ":1:16: error: <var>: the token %DIRVRA% is unknown"),
        ('<!DOCTYPE naf SYSTEM "naf.dtd"><naf/>', ":1:1: error: a DTD (<!DOCTYPE ...>) is not allowed"),
        (b"\xff\xfe", "error: "),
    ],
)
def test_a_naf_xml_that_cannot_be_used_is_an_error(tmp_path: Path, naf: str | bytes, message: str) -> None:
    loaded = load_with(tmp_path, naf)
    assert loaded.settings is None
    (found,) = [str(problem) for problem in loaded.problems if problem.severity is Severity.ERROR]
    assert found.startswith(f"{tmp_path}/conf/naf.xml:")
    assert message in found


def test_one_that_cannot_be_read(tmp_path: Path) -> None:
    (message,) = errors(load_with(tmp_path, None, named=str(tmp_path / "none.xml")))
    assert message == "the framework's file cannot be read: no such file or directory"
    os.mkfifo(tmp_path / "pipe.xml")
    (message,) = errors(load_with(tmp_path, None, named=str(tmp_path / "pipe.xml")))
    assert "it is a pipe" in message
    (tmp_path / "conf/naf.xml").symlink_to("nowhere")
    assert "cannot be read" in errors(load_with(tmp_path, None))[0]


def test_without_one_there_is_nothing_to_tell(tmp_path: Path) -> None:
    loaded = load_with(tmp_path, None)
    assert messages(loaded, Severity.NOTE) == []
    assert paths(loaded).var == f"{tmp_path}/var"
