"""Our name in EHLO, LHLO and HELO."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.smtp.receiver import Say, receiving
from tests.delivery.smtp.sending import sending

LITERAL = "[127.0.0.1]"


@pytest.mark.parametrize("lmtp", [False, True])
@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ("mail.example.test", "mail.example.test"),
        ("box", LITERAL),
        ("localhost", LITERAL),
        ("büro pc", LITERAL),
        ("büro.example", LITERAL),
        ("my_box.example", LITERAL),
    ],
)
def test_the_name_in_ehlo(machine: str, said: str, lmtp: bool) -> None:
    with receiving(lmtp=lmtp) as receiver, sending(receiver.destination(), client=machine) as sender:
        sender.send()
    assert receiver.dialogue[0] == f"EHLO {said}"
    assert len(receiver.mails) == 1


def test_over_a_unix_socket(tmp_path: Path) -> None:
    with (
        receiving(lmtp=True, path=tmp_path / "lmtp") as receiver,
        sending(receiver.destination(), client="büro pc") as sender,
    ):
        sender.send()
    assert receiver.dialogue[0] == f"EHLO {LITERAL}"


def test_the_name_in_helo() -> None:
    with receiving() as receiver, sending(receiver.destination(), client="büro pc") as sender:
        receiver.on("EHLO", Say("502 what?"))
        sender.send()
    assert f">> SMTP HELO {LITERAL}" in sender.said
