"""A running program and its tokens: renewed many times, ended, and got again by `login` without a restart."""

from __future__ import annotations

from tests.cli.login.conftest import Site
from tests.program.process import run_program, started
from tests.support.size import NIGHTLY
from tests.support.waiting import wait_for

#: How many lifetimes of tokens a program runs.
LIFETIMES = 30 if NIGHTLY else 10


def log_in(site: Site) -> None:
    site.provider.agrees_on_devices = True
    done = run_program("login", str(site.home / "c.xml"), "--client", "work")
    assert done.code == 0, done.err


def test_tokens_of_a_second(site: Site) -> None:
    site.configure(client='freq="1s"')
    site.provider.lifetime = 1
    log_in(site)
    renewals = site.provider.count("/token", "refresh_token")
    with started(str(site.home / "c.xml"), "--headless", "-v") as program:
        wait_for(lambda: site.provider.count("/token", "refresh_token") >= renewals + LIFETIMES, "renewals", pause=0.1)
        program.stop()
        assert "failed" not in program.said
        assert "log in" not in program.said
    assert site.delivered() == site.dovecot.count("me@example.test")
    assert site.provider.count("/device") == 1


def test_an_access_that_ends_and_a_login_without_a_restart(site: Site) -> None:
    site.configure(client='freq="1s"')
    log_in(site)
    with started(str(site.home / "c.xml"), "--headless", "-v") as program:
        wait_for(lambda: site.delivered() == site.dovecot.count("me@example.test"), "the first mail")
        site.provider.revoke()
        line = program.wait_for("log in again")
        assert f"tui-popretr login {site.home}/c.xml --client work" in line
        site.fill(1)
        log_in(site)
        wait_for(lambda: site.delivered() == site.dovecot.count("me@example.test"), "mail after the login", pause=0.1)
        program.stop()
    assert site.provider.count("/device") == 2


def test_a_program_that_waits_for_the_first_login(site: Site) -> None:
    site.configure(client='freq="1s"')
    with started(str(site.home / "c.xml"), "--headless", "-v") as program:
        program.wait_for("log in")
        assert site.provider.asked == []
        log_in(site)
        wait_for(lambda: site.delivered() == site.dovecot.count("me@example.test"), "mail after the login", pause=0.1)
        program.stop()
