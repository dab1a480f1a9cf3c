"""`check`: all problems, or what the clients will do."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path

import pytest

from tests.program.process import client, run_program, write_configuration
from tui_popretr.cli import check
from tui_popretr.cli.parser import build_parser
from tui_popretr.config.account import TlsPolicy
from tui_popretr.net import tls


def test_a_configuration_in_order_is_told_in_sentences(tmp_path: Path) -> None:
    path = write_configuration(
        tmp_path / "c.xml",
        client("isp", "pop.example.net", attributes='freq="10m"'),
        client("work", "pop.example.org", attributes='freq="0" runs="1"', more='<ssl latent="N"/><maildir>m</maildir>'),
        client("old", "pop.example.com", attributes='enabled="N"'),
    )
    done = run_program("check", path)
    assert done.code == 0, done.err
    isp = (
        "isp: Every 10 minutes, retrieves all mail from pop.example.net:110 without TLS, logging in as me with"
        f" USERPASS, else SASL_PLAIN, and delivers it to the Maildir {tmp_path}/var/mail/isp. What was delivered is"
        " deleted from the server, except messages that arrive cut short."
    )
    work = (
        "work: Once, retrieves all mail from pop.example.org:995 over TLS, logging in as me with USERPASS, else"
        f" SASL_PLAIN, and delivers it to the Maildir {tmp_path}/m. What was delivered is deleted from"
        " the server, except messages that arrive cut short."
    )
    assert done.out.splitlines() == [isp, work, f"Control socket: {tmp_path}/var/control.sock", "Disabled: old"]
    assert "secret" not in done.out + done.err
    assert not (tmp_path / "var").exists()


def test_only_the_named_clients_are_told(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "pop.example.net"), client("work", "pop.example.org"))
    done = run_program("check", path, "--client", "work")
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["work"]
    assert run_program("check", path, "--client", "home").code == 64


def test_warnings_and_notes_do_not_fail(tmp_path: Path) -> None:
    path = write_configuration(
        tmp_path / "c.xml", client("isp", "127.0.0.1", attributes='freq="5"'), before="<niobuffers/>"
    )
    done = run_program("check", path)
    assert done.code == 0
    *problems, last = done.err.splitlines()
    kinds = [re.match(rf"{re.escape(path)}:\d+:\d+: (\w+): ", line) for line in problems]
    assert [kind and kind[1] for kind in kinds] == ["note", "warning"]
    assert last == f"{path}: 1 warning, 1 note"


MISTAKES = """\
<pop3download>
  <timeout>4x</timeout>
  <delay_strat>1m</delay_strat>
  <clients>
    <client id="a" recip="u" freq="often">
      <server address="pop.example.net:99999"><username>me</username><password>secret</password></server>
    </client>
    <client id="a" recip="u" preserve="maybe">
      <server address="127.0.0.1"><username>me</username><password>secret</password></server>
    </client>
    <client id="b">
      <server address="127.0.0.1"><username>me</username><password>secret</password></server>
    </client>
    <client id="c" recip="../u">
      <server address="127.0.0.1"><username>me</username><password>secret</password>
        <authtypes>USERPAS</authtypes></server>
      <maxmails>3</maxmails>
    </client>
  </clients>
</pop3download>
"""


def test_ten_mistakes_are_ten_messages_at_their_places(tmp_path: Path) -> None:
    path = tmp_path / "c.xml"
    path.write_text(MISTAKES, encoding="utf-8")
    path.chmod(0o600)
    done = run_program("check", str(path))
    assert done.code == 78
    assert done.out == ""
    *problems, last = done.err.splitlines()
    assert [re.sub(r"^.*?:(\d+:\d+: \w+): .*", r"\1", line) for line in problems] == [
        "2:3: error",
        "3:3: error",
        "5:30: error",
        "6:15: error",
        "8:13: error",
        "8:30: error",
        "11:5: error",
        "14:20: error",
        "16:9: error",
        "17:7: error",
    ]
    assert all(line.startswith(f"{path}:") for line in problems)
    assert "did you mean 'delay_start'?" in done.err
    assert last == f"tui-popretr: {path} cannot be used: 10 errors"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = run_program("check", str(tmp_path / "none.xml"))
    assert done.code == 78
    problem = f"the configuration {tmp_path}/none.xml cannot be read: no such file or directory"
    assert done.err == f"tui-popretr: {problem}\n"


def test_tls_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "junk.pem").write_text("-----BEGIN nothing-----\n", encoding="utf-8")
    path = write_configuration(
        tmp_path / "c.xml",
        client("isp", "pop.example.net", more='<ssl tspath="none.pem"/><maildir>m</maildir>'),
        client("work", "pop.example.org", more='<ssl tspath="junk.pem"/><maildir>m</maildir>'),
    )
    done = run_program("check", path)
    assert done.code == 78
    assert f"{path}: error: client isp: cannot read {tmp_path}/none.pem: no such file or directory" in done.err
    assert f"{path}: error: client work: {tmp_path}/junk.pem holds no usable certificate" in done.err
    assert done.err.endswith(f"tui-popretr: {path} cannot be used: 2 errors\n")


def test_clients_with_equal_trust_share_one_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policies: list[TlsPolicy] = []

    def context_for(policy: TlsPolicy) -> ssl.SSLContext:
        policies.append(policy)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(tls, "context_for", context_for)
    more = "<ssl/><maildir>m</maildir>"
    clients = [client(f"c{number}", f"h{number}.example.net", more=more) for number in range(3)]
    path = write_configuration(tmp_path / "c.xml", *clients)
    assert check.run(build_parser().parse_args(["check", path])) == 0
    assert len(policies) == 1


def test_tls_files_that_would_be_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = write_configuration(
        tmp_path / "c.xml",
        client("isp", "pop.example.net", more='<ssl tspath="pipe"/><maildir>m</maildir>'),
        client("work", "pop.example.org", more='<ssl kspath="pipe"/><maildir>m</maildir>'),
        client("old", "pop.example.com", more='<ssl proto="TLSv1"/><maildir>m</maildir>'),
    )
    done = run_program("check", path)
    assert done.code == 78
    for name in ("isp", "work"):
        assert f"{path}: error: client {name}: cannot read {tmp_path}/pipe: it is a pipe, not a" in done.err
    assert "client old" not in done.err
