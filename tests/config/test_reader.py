"""load(): all problems at once at the right places, unreadable files, and settings of the whole program."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.helpers import SERVER, client, error_of, errors, load_text, settings_of, task, warnings
from tui_popretr.config.model import Concurrency
from tui_popretr.config.problems import Position, Problem, Report, Severity
from tui_popretr.config.reader import Loaded, load

MISTAKES = """\
<mailserver>
  <directory><virtualuser>Y</virtualuser></directory>
  <pop3download>
    <timeout>5 minutes</timeout>
    <audit rot="fortnightly">%DIRLOG%/a.log</audit>
    <transcript>%DIRLGO%/t.log</transcript>
    <concurrency total="0" perserver="8"/>
    <clients>
      <client id="one" recip="../x" frq="5m">
        <server address="pop.example.net:70000">
          <username>me</username><password>${NO_SUCH_VARIABLE}</password>
        </server>
      </client>
      <client id="two" recip="two" preserve="perhaps"
              maxsize="25 megabytes">
        <server address="2001:db8::1"><username>x</username><password>y</password>
          <authtypes>USERPASS | SASL_CRAM_MD4</authtypes></server>
      </client>
      <client id="one" localuser="three">
        <server address="pop.example.net"><authtypes>SASL_EXTERNAL</authtypes></server>
      </client>
      <client id="four">
        <server address="pop.example.net"><username>x</username><password file="a" env="B"/></server>
        <ssl latent="Y" proto="SSLv3" enabled="Y"/>
      </client>
    </clients>
  </pop3download>
</mailserver>
"""


def test_all_mistakes_at_once_each_at_its_place(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, MISTAKES, environ={"B": ""})
    assert loaded.settings is None
    found = [str(problem).removeprefix(str(tmp_path) + "/") for problem in loaded.problems]
    expected = [
        "rc.xml:2:14: error: unknown <virtualuser> in <directory>; did you mean 'virtualusers'?",
        "rc.xml:4:5: error: <timeout>: '5 minutes' is not a time;",
        "rc.xml:5:12: error: rot: 'fortnightly' is not one of never, minute, hourly, daily,",
        "rc.xml:6:5: error: <transcript>: the token %DIRLGO% is unknown here; did you mean 'DIRLOG'?",
        "rc.xml:7:18: error: total: the number must be at least 1",
        "rc.xml:9:24: error: recip: '../x' contains a /, which is not allowed",
        "rc.xml:9:37: error: unknown attribute frq in <client>; did you mean 'freq'?",
        "rc.xml:10:17: error: address: '70000' is not a port; ports are 1 to 65535",
        "rc.xml:11:34: error: <password>: the environment variable NO_SUCH_VARIABLE is not set;",
        "rc.xml:14:36: error: preserve: 'perhaps' is neither yes nor no; write Y or N",
        "rc.xml:15:15: error: maxsize: '25 megabytes' is not a size;",
        "rc.xml:16:17: error: address: an IPv6 address needs brackets: write [2001:db8::1]:995",
        "rc.xml:17:11: error: <authtypes>: 'SASL_CRAM_MD4' is not a login method; did you mean 'SASL_CRAM_MD5'?",
        "rc.xml:19:15: error: the id 'one' is taken already; see line 9",
        "rc.xml:19:24: error: unknown attribute localuser in <client>; it is called recip today",
        "rc.xml:20:43: error: no login method can be used: SASL_EXTERNAL needs TLS",
        "rc.xml:22:7: error: attribute recip is missing in <client>",
        "rc.xml:23:65: error: the password comes from one place only: its text, env, file or command",
        "rc.xml:24:25: error: proto: 'SSLv3' is not one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3",
    ]
    errors_found = [line for line in found if ": error: " in line]
    assert len(errors_found) == len(expected), "\n".join(errors_found)
    for line, start in zip(errors_found, expected, strict=True):
        assert line.startswith(start), line


def test_problems_are_sorted_by_place_with_further_files_behind() -> None:
    report = Report("b.xml")
    for path, line, column in [("a", 1, 1), ("b.xml", 2, 1), ("b.xml", 1, 9), ("b.xml", 1, 10)]:
        report.warning(Position(path, line, column), "x")
    report.error(Position("b.xml", 1, 1), "y")
    report.error(Position("b.xml", 1, 1), "y")
    assert [(found.path, found.line, found.column) for found in report.problems()] == [
        ("b.xml", 1, 1),
        ("b.xml", 1, 9),
        ("b.xml", 1, 10),
        ("b.xml", 2, 1),
        ("a", 1, 1),
    ]


def test_the_form_of_a_problem() -> None:
    assert str(Problem("f.xml", 3, 7, Severity.NOTE, "hm")) == "f.xml:3:7: note: hm"
    report = Report("f")
    report.error(Position("f"), "an \x1b[2J escape")
    assert report.problems()[0].message == "an \\x1b[2J escape"


@pytest.mark.parametrize("name", ["missing.xml", "folder", "nul\x00.xml", "missing/rc.xml"])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    loaded = load(str(tmp_path / name))
    (problem,) = loaded.problems
    assert loaded.settings is None
    assert (problem.line, problem.column, problem.severity) == (1, 1, Severity.ERROR)
    assert "cannot be read" in problem.message


def test_a_file_that_is_too_large_is_a_problem(tmp_path: Path) -> None:
    with (tmp_path / "rc.xml").open("wb") as file:
        file.truncate(16 * 1024**2 + 1)
    (problem,) = load(str(tmp_path / "rc.xml")).problems
    assert problem.message == "the configuration cannot be read: it is too large"


def test_a_configuration_that_is_no_regular_file_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((str(tmp_path / "pipe"), "pipe"), ("/dev/zero", "device")):
        (problem,) = load(path).problems
        assert problem.message == f"the configuration cannot be read: it is a {kind}, not a regular file"


def test_the_directory_is_read_from_regular_files_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (message,) = errors(load_text(tmp_path, task(client(), before="<directory><domains>pipe</domains></directory>")))
    assert message == "cannot be read: it is a pipe, not a regular file"


def test_malformed_xml_is_one_problem_at_its_place(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "<pop3download>\n <clients>\n</pop3download>")
    assert [str(problem).rsplit("rc.xml", 1)[1] for problem in loaded.problems] == [
        ":3:3: error: mismatched tag; <clients> of line 2 is still open"
    ]


def test_entities_are_refused(tmp_path: Path) -> None:
    text = f'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>{task(client())}'
    assert "not allowed" in error_of(tmp_path, text)


def test_defaults_of_the_program(tmp_path: Path) -> None:
    found = settings_of(load_text(tmp_path, task(client())))
    assert (found.timeout, found.delay_start) == (240.0, 60.0)
    assert found.concurrency == Concurrency(64, 8)
    assert found.journal == str(tmp_path / "var/popretr.sqlite")
    assert found.control_socket == str(tmp_path / "var/control.sock")
    assert (found.audit, found.transcript, found.trace) == (None, None, None)


def test_settings_of_the_program(tmp_path: Path) -> None:
    before = """<timeout> 30s </timeout><delay_start>0</delay_start><concurrency total="200" perserver="100"/>
      <journal>%DIRVAR%/j.db</journal><control>/run/x.sock</control>"""
    found = settings_of(load_text(tmp_path, task(client(), before=before)))
    assert (found.timeout, found.delay_start) == (30.0, 0.0)
    assert found.concurrency == Concurrency(200, 100)
    assert (found.journal, found.control_socket) == (str(tmp_path / "var/j.db"), "/run/x.sock")


def test_no_control_socket(tmp_path: Path) -> None:
    assert settings_of(load_text(tmp_path, task(client(), before="<control>-</control>"))).control_socket == "-"


def test_a_control_socket_with_a_long_path(tmp_path: Path) -> None:
    text = task(client(), before=f"<control>/{'x' * 107}</control>")
    assert "is longer than 107 octets; choose a shorter one" in error_of(tmp_path, text)
    longest = task(client(), before=f"<control>/{'x' * 106}</control>")
    assert settings_of(load_text(tmp_path, longest)).control_socket == f"/{'x' * 106}"


def test_the_default_control_socket_with_a_long_path(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(), before=f"<dirpaths><var>/{'x' * 107}</var></dirpaths>"))
    assert loaded.settings is not None
    assert any("name a shorter one in <control>" in str(each) for each in loaded.problems)


def test_the_control_socket_is_known_despite_errors(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client('freq="often"'), before="<control>/run/x.sock</control>"))
    assert (loaded.settings, loaded.control_socket) == (None, "/run/x.sock")


def test_without_its_clients(tmp_path: Path) -> None:
    hook = "<hooks><hook on='failed' client='isp'>true</hook></hooks>"
    before = f"<transcript>t.log</transcript><control>/run/x.sock</control>{hook}"
    path = tmp_path / "rc.xml"
    path.write_text(task(client('freq="often"'), before=before))
    path.chmod(0o600)
    loaded = load(str(path), clients=False)
    assert (loaded.problems, loaded.control_socket) == ((), "/run/x.sock")
    assert loaded.settings is not None
    assert (loaded.settings.clients, loaded.settings.transcript is None) == ((), False)


@pytest.mark.parametrize("text", ["<timeout>0</timeout>", "<timeout>-</timeout>", "<journal>-</journal>"])
def test_settings_that_need_a_value(tmp_path: Path, text: str) -> None:
    assert error_of(tmp_path, task(client(), before=text))


def test_an_empty_value_is_the_default(tmp_path: Path) -> None:
    text = task(client('freq="" runs=" " maxsize="" preserve=""'), before="<timeout> </timeout><delay_start/>")
    found = settings_of(load_text(tmp_path, text))
    assert (found.timeout, found.delay_start) == (240.0, 60.0)
    assert (found.clients[0].frequency, found.clients[0].runs, found.clients[0].retention.max_size) == (300.0, 0, None)


def test_a_lone_dash_is_no_value(tmp_path: Path) -> None:
    text = task(client('maxsize="-" deleteafter="-"', more="<maildir>-</maildir>"), before="<audit>-</audit>")
    found = settings_of(load_text(tmp_path, text))
    assert found.audit is None
    assert (found.clients[0].retention.max_size, found.clients[0].retention.delete_after) == (None, None)


def test_path_is_the_real_path(tmp_path: Path) -> None:
    load_text(tmp_path / "real", task(client()))
    os.symlink(tmp_path / "real/rc.xml", tmp_path / "link.xml")
    found = settings_of(load(str(tmp_path / "link.xml"), environ={}))
    assert found.path == str(tmp_path / "real/rc.xml")
    assert found.paths.top == str(tmp_path / "real")


def test_a_relative_path_is_shown_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_text(tmp_path, "<x/>")
    monkeypatch.chdir(tmp_path)
    (problem,) = load("rc.xml").problems
    assert str(problem).startswith("rc.xml:1:1: error: ")


def test_environment_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPRETR_TEST_TIMEOUT", "7s")
    path = tmp_path / "rc.xml"
    path.write_text(task(client(), before="<timeout>${POPRETR_TEST_TIMEOUT}</timeout>"))
    assert settings_of(load(str(path))).timeout == 7


def test_of_disabled_clients_only_the_id_is_read(tmp_path: Path) -> None:
    off = '<client id="off" enabled="N" freq="${NOT_SET}"><server address="::::"/><smtp/></client><client enabled="N"/>'
    found = settings_of(load_text(tmp_path, task(client() + off)))
    assert [each.id for each in found.clients] == ["a"]
    assert found.disabled == ("off",)


def test_ids_are_unique_among_enabled_clients_only(tmp_path: Path) -> None:
    assert settings_of(load_text(tmp_path, task(client() + client('enabled="N"'))))
    assert error_of(tmp_path, task(client() + "\n" + client())) == "the id 'a' is taken already; see line 1"


@pytest.mark.parametrize("text", ["", "<clients/>", '<clients><client enabled="N"/></clients>'])
def test_nothing_enabled_is_a_warning(tmp_path: Path, text: str) -> None:
    assert warnings(load_text(tmp_path, f"<pop3download>{text}</pop3download>")) == [
        "no client is enabled, so there is nothing to retrieve"
    ]


def test_a_password_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    text = task("\n" + client())
    path = tmp_path / "rc.xml"
    load_text(tmp_path, text)
    path.chmod(0o644)
    (problem,) = load(str(path), environ={}).problems
    assert problem.severity is Severity.WARNING
    assert "other users can read it; run chmod 600 rc.xml" in problem.message
    assert (problem.line, problem.column) == (2, 82)
    path.chmod(0o640)
    assert load(str(path), environ={}).problems == ()
    path.write_text(text.replace("secret", "${PW}"))
    path.chmod(0o644)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert load(str(path), environ={"PW": "x"}).problems == ()


def test_the_benchmark_configuration_loads(tmp_path: Path) -> None:
    text = f"""<pop3download><dirpaths><root>{tmp_path}/home</root></dirpaths>
<message_store><userpath>{tmp_path}/out</userpath><mailpath>.</mailpath></message_store>
<timeout>60s</timeout><delay_start>0</delay_start><concurrency total="200" perserver="200"/><clients>
<client id="u1" recip="u1" freq="0">
<server address="127.0.0.1:1110"><username>u1</username><password>pw</password>
<authtypes>SASL_PLAIN</authtypes></server>
<ssl latent="Y" tspath="{tmp_path}/rc.xml"/>
</client>
</clients></pop3download>
"""
    loaded = load_text(tmp_path, text)
    found = settings_of(loaded)
    assert loaded.problems == ()
    assert found.paths.top == f"{tmp_path}/home"
    assert (found.clients[0].frequency, found.clients[0].runs) == (0, 1)
    assert getattr(found.clients[0].destination, "path") == f"{tmp_path}/out/u1"  # noqa: B009


def test_secrets_are_in_no_message_and_no_repr(tmp_path: Path) -> None:
    server = SERVER.replace(">secret<", ' command="x" >s3cret<').replace("127.0.0.1", "pop.example.net")
    tls = '<ssl kspath="/nonexistent/k.pem" kspass="s3cret" certpass="s3cret" tspass="s3cret" proto="s"/>'
    loaded = load_text(tmp_path, task(client(server=server, more=tls)))
    assert errors(loaded)
    assert "s3cret" not in "".join(map(str, loaded.problems))
    good = load_text(
        tmp_path, task(client(server=SERVER.replace(">secret<", ">s3cret<"), more=tls.replace('proto="s"', "")))
    )
    assert settings_of(good)
    assert "s3cret" not in repr(good)
    asked = client(server=SERVER.replace(">secret<", ' command="sesame s3cret"><'))
    assert "s3cret" not in repr(settings_of(load_text(tmp_path, task(asked))))


# --- nothing in a file makes load() raise ---------------------------------------------------------------------------


def _loads(folder: Path, data: bytes) -> Loaded:
    path = folder / "fuzz.xml"
    path.write_bytes(data)
    loaded = load(str(path), environ={"B": "b"})
    found = any(problem.severity is Severity.ERROR for problem in loaded.problems)
    assert (loaded.settings is None) == found
    return loaded


_FUZZ = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(st.binary(max_size=200))
@_FUZZ
def test_any_octets_give_problems(tmp_path: Path, data: bytes) -> None:
    assert _loads(tmp_path, data).settings is None


@given(st.data())
@_FUZZ
def test_a_mutated_configuration_gives_settings_or_problems(tmp_path: Path, data: st.DataObject) -> None:
    text = MISTAKES.encode()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text) - 1))
        end = start + data.draw(st.integers(0, 12))
        piece = data.draw(
            st.sampled_from(
                [b"", b"<client/>", b"Y", b"-", b"${", b"${}", b"%DIRVAR%", b"~", b"\n", b"9" * 30, b"\xff"]
            )
            | st.binary(max_size=4)
        )
        text = text[:start] + piece + text[end:]
    _loads(tmp_path, text)


_ATTRIBUTE_VALUES = st.text(alphabet="aY-0:5m9%${}~/.|[]é&#x;", max_size=12)


@given(
    st.dictionaries(
        st.sampled_from(["id", "recip", "freq", "runs", "preserve", "newonly", "deleteafter", "maxsize"]),
        _ATTRIBUTE_VALUES,
    ),
    _ATTRIBUTE_VALUES,
    _ATTRIBUTE_VALUES,
    _ATTRIBUTE_VALUES,
)
@_FUZZ
def test_any_values_give_settings_or_problems(
    tmp_path: Path, attributes: dict[str, str], address: str, folder: str, log: str
) -> None:
    def escaped(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")

    written = " ".join(f'{name}="{escaped(value)}"' for name, value in attributes.items())
    text = f"""<pop3download><dirpaths><var>{escaped(folder)}</var></dirpaths><audit>{escaped(log)}</audit>
      <clients><client {written}><server address="{escaped(address)}"><username>{escaped(log)}</username>
      <password file="{escaped(folder)}"/></server><maildir>{escaped(folder)}</maildir></client></clients>
      </pop3download>"""
    _loads(tmp_path, text.encode())
