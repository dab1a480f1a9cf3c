"""Nothing of a SASL exchange can be seen: not what we say, not what the server says, not when it repeats us."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from tests.support.popserver import Mechanism, ServedMaildrop
from tests.support.popserver.sasl import MECHANISMS, Gate
from tui_popretr.pop3 import Command, Continuation, Event, Machine, Noop, Reply, SaslCancel, User
from tui_popretr.sasl import EXCHANGES, Endpoint
from tui_popretr.secret import Secret

from .dialogue import authentication, greeted

PASSWORD = "hunter2"
#: Answers of ours that are no secret.
OPEN = {b"", b"\1", b"alice"}
#: The mechanisms that have secrets.
MECHANISMS_WITH_SECRETS = sorted(EXCHANGES.keys() - {"EXTERNAL"})


class Dialogue:
    """An exchange of a mechanism with the embedded server's, as far as the server has anything to say."""

    def __init__(self, mechanism: str, password: str = PASSWORD, *, initial_response: bool = False) -> None:
        self.machine = greeted()
        self.events: list[Event] = []
        self.shown: list[str] = []
        self.said: list[bytes] = []  # our answers, decoded
        self.heard: list[bytes] = []  # the challenges, decoded
        authenticating = authentication(
            mechanism,
            "alice",
            Secret(PASSWORD),
            initial_response=initial_response,
            server=Endpoint("pop.example.test", 995, b"binding"),
        )
        server = MECHANISMS[Mechanism(mechanism)](
            Gate(
                {"alice": ServedMaildrop("alice", password)},
                binding=b"binding" if mechanism.endswith("-PLUS") else None,
            )
        )
        auth = authenticating.start()
        self._send(auth)
        asked = next(server)
        try:
            if not auth.wire().endswith(f" {mechanism}\r\n".encode()):
                self.said.append(b64decode(auth.wire().split()[-1]))
                asked = server.send(self.said[-1])
            while True:
                self.heard.append(asked)
                (event,) = self.receive(b"+ " + b64encode(asked) + b"\r\n")
                assert isinstance(event, Continuation)
                answer = authenticating.answer(event)
                assert not isinstance(answer, SaslCancel), authenticating.exchange.problem
                self._send(answer)
                self.said.append(b64decode(answer.wire()))
                asked = server.send(self.said[-1])
        except StopIteration:
            self.accepted = True
        except Exception:  # noqa: BLE001 - the server's rejection
            self.accepted = False

    def _send(self, command: Command) -> None:
        self.machine.send(command)
        self.shown += [command.shown(), repr(command)]

    def receive(self, line: bytes) -> list[Event]:
        events = self.machine.receive(line)
        self.events += events
        return events

    def secrets(self) -> set[bytes]:
        """What gives the password away, as it is and in base64."""
        said = {each for each in self.said if each not in OPEN}
        proofs = {each.rpartition(b",p=")[2] for each in said if b",p=" in each}
        digests = {each.rpartition(b" ")[2] for each in said if each.startswith(b"alice ")}
        password = PASSWORD.encode()
        plain = said | proofs | digests | {password for each in said if password in each}
        return plain | {b64encode(each) for each in plain}

    def assert_clean(self) -> None:
        # payloads are left out of the repr: they are for the exchange, whose words are tested where they come about
        seen = "".join(self.shown) + "".join(map(repr, self.events))
        leaked = [each for each in self.secrets() if each.decode() in seen or repr(each)[2:-1] in seen]
        assert leaked == []


@pytest.mark.parametrize("initial_response", [False, True])
@pytest.mark.parametrize("mechanism", MECHANISMS_WITH_SECRETS)
@pytest.mark.parametrize("password", [PASSWORD, "another"])
def test_nothing_is_shown(mechanism: str, password: str, initial_response: bool) -> None:
    dialogue = Dialogue(mechanism, password, initial_response=initial_response)
    assert dialogue.accepted == (password == PASSWORD)
    assert dialogue.said
    dialogue.receive(b"+OK\r\n" if dialogue.accepted else b"-ERR [AUTH] no\r\n")
    dialogue.assert_clean()
    # with the server's side of SCRAM one could try passwords as well
    for heard in filter(None, dialogue.heard):
        assert b64encode(heard).decode() not in repr(dialogue.events)


@pytest.mark.parametrize("mechanism", MECHANISMS_WITH_SECRETS)
@pytest.mark.parametrize("accepted", [True, False])
def test_a_server_that_repeats_us(mechanism: str, accepted: bool) -> None:
    dialogue = Dialogue(mechanism, PASSWORD if accepted else "another")
    status = b"+OK you said " if accepted else b"-ERR you said "
    for secret in sorted(dialogue.secrets()):  # at once, and later
        dialogue.receive(status + secret + b"\r\n")
        dialogue.machine.send(Noop() if accepted else User("alice"))
    dialogue.assert_clean()


@pytest.mark.parametrize("mechanism", MECHANISMS_WITH_SECRETS)
def test_a_server_that_repeats_us_in_a_challenge(mechanism: str) -> None:
    for number in range(len(Dialogue(mechanism).secrets())):
        dialogue = Dialogue(mechanism)
        dialogue.receive(b"+ " + sorted(dialogue.secrets())[number] + b"\r\n")
        dialogue.assert_clean()


def test_a_username_is_no_secret() -> None:
    machine: Machine = greeted()
    authenticating = authentication("LOGIN", "alice", Secret(PASSWORD))
    machine.send(authenticating.start())
    for prompt in (b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"):
        (event,) = machine.receive(b"+ " + prompt + b"\r\n")
        assert isinstance(event, Continuation)
        machine.send(authenticating.answer(event))
    (event,) = machine.receive(b"-ERR alice is locked, hunter2\r\n")
    assert isinstance(event, Reply)
    assert event.text == b"alice is locked, ****"
