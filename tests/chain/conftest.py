"""A provider (oidc-provider), a browser (Chromium) that a person uses, and a Dovecot that asks the provider.

npm installs the provider and the driver of the browser into .venv/chain; what they run is beside this file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.program.needs import browsing, need
from tests.support.dovecot import Dovecot

ACCOUNT: Final = "me@example.test"
#: Seconds that an access token is valid.
LIFETIME: Final = 3
_HERE: Final = Path(__file__).parent
_INSTALLED: Final = _HERE.parents[1] / ".venv/chain"
#: Seconds for a page of the browser, or the start of a program, on a machine with other work.
_PATIENCE: Final = 300.0


@dataclass(frozen=True, slots=True)
class Page:
    """Where a browser is at the end."""

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The running servers. `base` is the address of the provider."""

    base: str
    dovecot: Dovecot

    def open(self, address: str, code: str = "") -> Page:
        """A person opens an address in Chromium, types the code of a device where it is asked for, and agrees."""
        done = subprocess.run(
            ["node", "browser.mjs", address, ACCOUNT, code],
            cwd=_INSTALLED,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        first, _, text = done.stdout.partition("\n")
        return Page(first, text)

    def post(self, path: str, **form: str) -> None:
        """Send a form of the client to the provider. Raises HTTPError."""
        data = urlencode({"client_id": "client-of-tests", **form}).encode()
        with urlopen(f"{self.base}{path}", data, timeout=_PATIENCE):
            pass

    def revoke(self, token: str) -> None:
        """End what was granted, as the user can at the provider."""
        self.post("/token/revocation", token=token)

    def oauth(self, *, device: bool = True) -> str:
        """An <oauth> for the provider, with its addresses."""
        device_url = f"<deviceurl>{self.base}/device/auth</deviceurl>" if device else ""
        return f"""<oauth provider="custom" clientid="client-of-tests">
            <authurl>{self.base}/auth</authurl><tokenurl>{self.base}/token</tokenurl>{device_url}
            <revokeurl>{self.base}/token/revocation</revokeurl><issuer>{self.base}</issuer>
            <scope>openid pop</scope></oauth>"""


@pytest.fixture(scope="session")
def installed() -> Path:
    """The folder with the packages of package.json."""
    need(browsing)
    _INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "provider.mjs", "browser.mjs", "gmail.mjs"):
        shutil.copy(_HERE / name, _INSTALLED)
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"],
        cwd=_INSTALLED,
        timeout=1200,
        check=True,
    )
    return _INSTALLED


@pytest.fixture(scope="session")
def chain(installed: Path, needs_dovecot: None) -> Iterator[Chain]:
    """The servers, one each per test process."""
    provider = subprocess.Popen(
        ["node", "provider.mjs", str(LIFETIME)],
        cwd=_INSTALLED,
        env={**os.environ, "NODE_ENV": "production"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with provider:
        try:
            assert provider.stdout is not None
            address = f"127.0.0.1:{int(provider.stdout.readline())}"
            asked = f"http://dovecot:secret@{address}/token/introspection"
            with Dovecot(introspection=asked, owner="sub") as server:
                server.fill(ACCOUNT, [b"Subject: one\n\nhello\n"])
                yield Chain(f"http://{address}", server)
        finally:
            provider.kill()
