"""What all tests share."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import trustme
from _pytest.reports import TestReport
from hypothesis import settings
from trio.testing import MockClock

from tests.support import passages, passwords
from tests.support.certificates import Certificates
from tests.support.dovecot import Dovecot, require
from tests.support.size import NIGHTLY

# A shell starts what runs in the background with SIGINT ignored, and nohup ignores SIGHUP. Each program that a test
# starts would inherit that.
for number, default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGCHLD, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)
signal.pthread_sigmask(signal.SIG_SETMASK, ())

# A slow machine is no failure; time limits are pytest-timeout's.
settings.register_profile("tests", parent=settings.default, deadline=None)
settings.register_profile("nightly", settings.get_profile("tests"), max_examples=2000)
settings.load_profile("nightly" if NIGHTLY else "tests")

passages.watch()


@pytest.fixture
def autojump_clock() -> MockClock:
    """A trio clock that jumps over every wait: for tests decorated with trio_test."""
    return MockClock(autojump_threshold=0)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for one test. Its path is short, since the path of a control socket below it must be."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that the tests trust, and another that they do not."""
    folder = tmp_path_factory.mktemp("certificates")
    return Certificates(folder, trustme.CA(organization_name="trusted"), trustme.CA(organization_name="stranger"))


@pytest.fixture(autouse=True)
def nothing_secret_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """No password is in what a test leaves behind: logs, journals, mail, whatever it is, nor in what it passes on."""
    yield
    assert passages.take() == []
    folder = request.node.funcargs.get("tmp_path")
    assert folder is None or passwords.left_in(folder) == []


@pytest.fixture
def capsys(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """pytest's own, which also looks for passwords."""
    return passwords.watched(capsys)


@pytest.fixture
def capfd(capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """pytest's own, which also looks for passwords."""
    return passwords.watched(capfd)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, TestReport, TestReport]:
    """Fail a test that has written a password to its output, the logging module's included."""
    report = yield
    telling = [name for name, text in report.sections if passwords.reveals(text.encode("utf-8", "surrogateescape"))]
    if telling and report.outcome == "passed":
        report.outcome = "failed"
        report.longrepr = f"a password is in: {', '.join(telling)}"
    return report


@pytest.fixture(scope="session")
def needs_dovecot() -> None:
    """For tests that start a Dovecot of their own."""
    require()


@pytest.fixture(scope="session")
def dovecot(needs_dovecot: None) -> Iterator[Dovecot]:
    """A real Dovecot, one per test process; a test makes accounts of its own in it with add_user()."""
    with Dovecot() as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses Dovecot, and leave out what needs root where we are not."""
    for item in items:
        if "needs_dovecot" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.dovecot)
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have told by record_property(), summed up."""
    figures = Counter[str]()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if isinstance(value, int):
                    figures[name] += value
    if figures:
        terminalreporter.section("figures")
        for name, value in figures.items():
            terminalreporter.line(f"{name}: {value:,}")
