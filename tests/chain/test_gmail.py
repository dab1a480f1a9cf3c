"""The tests' Gmail as Google's own client library sees it. Nightly only."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.gmail import ACCOUNT, ADDED, TOKEN, FakeGmail
from tests.support.gmail_serving import running_gmail
from tests.support.size import NIGHTLY

pytestmark = [pytest.mark.skipif(not NIGHTLY, reason="only in make nightly"), pytest.mark.timeout(1800)]


def test_google_s_client_library(installed: Path) -> None:
    gmail = FakeGmail()
    with running_gmail(gmail) as address:
        done = subprocess.run(
            ["node", "gmail.mjs", address, TOKEN],
            cwd=installed,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["status"] for each in answers] == [200, 409, 200, 200, 400, 200, 200, 200, 401]
    made, again, labels, imported, refused, found, message, profile, _ = (each["data"] for each in answers)
    assert again["error"]["message"] == "Label name exists or conflicts"
    assert {"id": made["id"], "name": "Node/One", "type": "user"} in labels["labels"]
    assert imported["labelIds"] == ["INBOX", made["id"]]
    assert refused["error"]["errors"][0]["reason"] == "invalidArgument"
    assert [each["id"] for each in found["messages"]] == [imported["id"]]
    assert message["payload"]["headers"] == [{"name": "Message-ID", "value": "<node@example.test>"}]
    assert profile == {"emailAddress": ACCOUNT, "messagesTotal": 1}
    (arrived,) = gmail.messages
    assert arrived.raw == b"Message-ID: <node@example.test>\r\nSubject: x\r\n\r\nhello\r\n"
    assert message["sizeEstimate"] == len(arrived.raw) + ADDED
    assert arrived.query["neverMarkSpam"] == "true"
