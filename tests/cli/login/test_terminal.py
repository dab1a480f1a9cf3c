"""`login` on a terminal of 80 columns, against a provider and a Dovecot that asks it: as a person sees it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.cli.conversation import CTRL_C, CTRL_D
from tests.cli.login.conftest import Site
from tests.support.oauth_provider import ACCOUNT, Fault
from tests.support.oauth_serving import browse
from tests.support.passwords import discreet
from tui_popretr.errors import ExitCode

SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22", "USER": "me", "LOGNAME": "me"}
WAITING = "ctrl+c gives up.\r\n"
ADDRESS = "\r\nAddress: "


def lines(screen: str) -> list[str]:
    """The lines of a screen; none is longer than the terminal, but for addresses, which are alone on theirs."""
    discreet(screen)
    found = screen.split("\n")
    for line in found:
        assert len(line) <= 80 or re.fullmatch(r"(Address: .*|https?://\S+|tui-popretr .*)", line), line
    return found


def shown(screen: str, start: str) -> str:
    """The address of the only line that begins with this."""
    (found,) = {line for line in lines(screen) if line.startswith(start)}
    return found


def code_on(screen: str) -> str:
    """The user code that is shown."""
    return next(line for line in lines(screen) if re.fullmatch("[A-Z]{4}-[A-Z]{4}", line))


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A program that opens an address as a browser does."""
    path = tmp_path / "browser"
    path.write_text(f"#!{sys.executable}\nimport sys\nfrom urllib.request import urlopen\nurlopen(sys.argv[1])\n")
    path.chmod(0o755)
    return path


def works(site: Site, screen: str) -> None:
    """The end of a successful login, and what it left."""
    assert f"Logged in to {site.provider.base.removeprefix('http://')} as {ACCOUNT}.\n  allowed: pop\n" in screen
    assert "  the access token is valid until 20" in screen
    trying = f"Trying a session at {site.dovecot.host}:{site.dovecot.port} ...\n"
    assert screen.endswith(f"\n\n{trying}{site.works()}"), screen
    files = site.token_files()
    assert [name.rpartition(".")[2] for name in files] == ["json", "lock"]
    assert (site.home / "var/oauth").stat().st_mode & 0o777 == 0o700
    assert (site.home / "var/oauth" / files[0]).stat().st_mode & 0o777 == 0o600


def test_device(site: Site) -> None:
    def agree(screen: str) -> str:
        site.provider.approve(code_on(screen))
        return ""

    talk = site.login(answers=[(WAITING, agree)])
    assert talk.code == 0, talk.screen
    works(site, talk.screen)
    found, code = lines(talk.screen), code_on(talk.screen)
    place = found.index(code)
    address = f"{site.provider.base}/activate"
    assert found[place - 4 : place + 2] == [address, "", "Type this code there:", "", code, ""]
    assert f"{address}?user_code={code}" in found


def test_the_user_does_not_agree(site: Site) -> None:
    def deny(screen: str) -> str:
        site.provider.deny(code_on(screen))
        return ""

    talk = site.login(answers=[(WAITING, deny)])
    assert talk.code == ExitCode.LOGIN
    assert "access_denied" in talk.screen
    assert [name for name in site.token_files() if name.endswith(".json")] == []


def test_ctrl_c_gives_up(site: Site) -> None:
    talk = site.login(answers=[(WAITING, CTRL_C)])
    assert talk.code == 130
    assert talk.screen.endswith("tui-popretr: interrupted\n")


def test_paste_over_ssh(site: Site) -> None:
    site.configure(without=("deviceurl",))

    def agree(screen: str) -> str:
        return site.provider.consent(shown(screen, site.provider.auth_url))

    talk = site.login(environ=SSH, answers=[(ADDRESS, "yes"), (ADDRESS, agree)])
    assert talk.code == 0, talk.screen
    works(site, talk.screen)
    found = lines(talk.screen)
    (forward,) = (each for each in found if "ssh" in each)
    tunnel = re.fullmatch(r"ssh -L (\d+):127\.0\.0\.1:\1 me@192\.0\.2\.2", forward)
    assert tunnel
    assert f"tui-popretr login {site.home}/c.xml --client work --flow browser --port {tunnel[1]}" in found
    assert f"redirect_uri=http%3A%2F%2F127.0.0.1%3A{tunnel[1]}%2F&" in shown(talk.screen, site.provider.auth_url)
    assert "This is no address: " in talk.screen


def test_the_input_ends_while_pasting(site: Site) -> None:
    talk = site.login("--flow", "paste", answers=[(ADDRESS, CTRL_D)])
    assert talk.code == ExitCode.USAGE
    assert talk.screen.endswith("tui-popretr: the input ended before the login was complete\n")


def test_a_browser_on_this_machine(site: Site, browser: Path) -> None:
    """The browser follows the redirection by itself, as soon as it is opened."""
    site.configure(without=("deviceurl",))
    talk = site.login(environ={"BROWSER": str(browser)}, answers=[])
    assert talk.code == 0, talk.screen
    works(site, talk.screen)
    assert shown(talk.screen, site.provider.auth_url)
    assert "A browser opens, to log in at " in talk.screen


def test_no_browser_and_a_tunnel(site: Site) -> None:
    def open_elsewhere(screen: str) -> str:
        assert "Open this address in a browser on this machine" in screen
        assert "The answer has arrived" in browse(shown(screen, site.provider.auth_url))
        return ""

    talk = site.login("--flow", "browser", environ={"DISPLAY": "", **SSH}, answers=[(WAITING, open_elsewhere)])
    assert talk.code == 0, talk.screen
    works(site, talk.screen)


def test_an_answer_of_another_login(site: Site) -> None:
    def open_twice(screen: str) -> str:
        address = shown(screen, site.provider.auth_url)
        site.provider.faults["/authorize"] = Fault.WRONG_STATE
        assert "The address belongs to another login" in browse(address)
        del site.provider.faults["/authorize"]
        browse(address)
        return ""

    talk = site.login("--flow", "browser", answers=[(WAITING, open_twice)])
    assert talk.code == 0, talk.screen
    assert "The browser's answer is ignored" in talk.screen


def test_an_answer_of_another_provider(site: Site) -> None:
    site.provider.faults["/authorize"] = Fault.WRONG_ISS

    def agree(screen: str) -> str:
        return site.provider.consent(shown(screen, site.provider.auth_url))

    talk = site.login("--flow", "paste", answers=[(ADDRESS, agree)])
    assert talk.code == ExitCode.PROTOCOL
    assert "the answer is from another provider: https://attacker.test" in talk.screen
