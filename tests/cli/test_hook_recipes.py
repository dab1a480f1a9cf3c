"""The recipes of docs/hooks.md, as they stand, by real programs to servers on this machine."""

from __future__ import annotations

import http.server
import re
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.cli.test_hook import RECIPES, configuration
from tests.delivery.smtp.postfix import SENDER, Postfix, require
from tests.delivery.smtp.receiver import receiving
from tests.program.needs import need
from tests.program.process import Done, run_program
from tests.support.passwords import PASSWORD
from tests.support.waiting import wait_for


def curl() -> str:
    return "" if shutil.which("curl") else "curl is not installed"


def recipe(word: str) -> str:
    found: str
    (found,) = (each for each in RECIPES if word in each)
    return found


@dataclass(frozen=True, slots=True)
class Request:
    """What a service gets."""

    path: str
    title: str | None
    body: str


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    found = trustme.CA()
    found.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return found


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@contextmanager
def web_service(context: ssl.SSLContext) -> Iterator[tuple[int, list[Request]]]:
    """A service on loopback over HTTPS; it accepts everything."""
    requests: list[Request] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            requests.append(Request(f"https://{self.headers['Host']}{self.path}", self.headers["Title"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tried(recipe: str, event: str, folder: Path, *, port: int = 0, **environ: str) -> Done:
    """Run the hook of a recipe; curl connects to a port of this machine, whatever the host."""
    (folder / ".curlrc").write_text(f'connect-to = "::127.0.0.1:{port}"\ncacert = "{folder}/ca.pem"\nnoproxy = "*"\n')
    path = configuration(folder, recipe)
    variables = {"POP_PASSWORD": PASSWORD, "HOME": str(folder), **environ}
    return run_program("hook", path, "--on", event, "--client", "isp", environ=variables)


@pytest.mark.parametrize(
    ("name", "event", "url", "title", "text"),
    [
        ("ntfy.sh", "login", "/MY-SECRET-TOPIC", "tui-popretr", "isp: the login was rejected"),
        ("hc-ping.com", "failed", "/MY-UUID/fail", None, "isp failed 3 times in a row"),
        ("hc-ping.com", "recovered", "/MY-UUID", None, "isp works again after 3 failed sessions"),
    ],
)
def test_web_services(
    name: str, event: str, url: str, title: str | None, text: str, authority: trustme.CA, tmp_path: Path
) -> None:
    need(curl)
    with web_service(server_context(authority, name)) as (port, requests):
        done = tried(recipe(name), event, tmp_path, port=port)
    assert (done.code, done.out, done.err) == (0, "sh ended with exit code 0\n", "")
    assert requests == [Request(f"https://{name}{url}", title, f"{text}: this is a test of the hook")]


def test_a_mail_by_an_smtp_server(authority: trustme.CA, tmp_path: Path) -> None:
    need(curl)
    netrc = tmp_path / ".netrc"
    netrc.write_text('machine smtp.example.net login me password "geheim ü"\n')
    netrc.chmod(0o600)
    with receiving(tls=server_context(authority, "smtp.example.net"), login=True) as receiver:
        done = tried(recipe("smtps:"), "failed", tmp_path, port=receiver.port)
    assert (done.code, done.out, done.err) == (0, "sh ended with exit code 0\n", "")
    (mail,) = receiver.mails
    assert (mail.sender, mail.recipients) == ("me@example.net", ("me@example.net",))
    header, _, text = mail.content.decode().replace("\r\n", "\n").partition("\n\n")
    assert "Subject: tui-popretr: failed" in header.splitlines()
    assert text.strip() == "isp failed 3 times in a row: this is a test of the hook"


def test_a_service_that_is_down_is_a_failed_hook(authority: trustme.CA, tmp_path: Path) -> None:
    need(curl)
    done = tried(recipe("ntfy"), "login", tmp_path, port=1)
    assert done.code == 69
    assert re.match(r"sh: curl: \(7\) Failed to connect", done.out)
    assert done.out.endswith("sh ended with exit code 7\n")


def test_a_mail_by_the_mail_server_of_this_machine(tmp_path: Path) -> None:
    require()
    with Postfix("me") as postfix:
        there = recipe("sendmail").replace("me@example.net", SENDER.replace("popretr", "me"))
        done = tried(there, "failed", tmp_path, MAIL_CONFIG=str(postfix.configuration))
        assert (done.code, done.out, done.err) == (0, "sh ended with exit code 0\n", "")
        wait_for(lambda: postfix.mailbox("me", 1) != [], postfix.log_text)
        (mail,) = postfix.mailbox("me", 1)
    assert b"Subject: tui-popretr: failed" in mail
