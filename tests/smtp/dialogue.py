"""What the tests of the machine share: machines in a given state, and feeding them."""

from __future__ import annotations

from collections.abc import Iterable

from tui_popretr.smtp import (
    Auth,
    Command,
    Data,
    Ehlo,
    Lhlo,
    Machine,
    Mail,
    Quit,
    Rcpt,
    RemoteProtocolError,
    Reply,
    SaslCancel,
    StartTls,
    State,
)

A, B = "a@receiver.test", "b@receiver.test"
SENDER = "popretr@receiver.test"
ENVELOPE: list[Command] = [Mail(SENDER), Rcpt(A), Rcpt(B), Data()]


def ready(*extensions: str, lmtp: bool = False) -> Machine:
    """Return a machine in READY, with these extensions offered."""
    machine = Machine(lmtp=lmtp)
    machine.receive(b"220 mx\r\n")
    machine.send((Lhlo if lmtp else Ehlo)("client.test"))
    lines = ["mx", *extensions]
    texts = [f"250{'-' if number < len(lines) else ' '}{line}\r\n" for number, line in enumerate(lines, 1)]
    machine.receive("".join(texts).encode())
    return machine


def in_content(*, lmtp: bool = False) -> Machine:
    """Return a machine in CONTENT, with two accepted recipients."""
    machine = ready(lmtp=lmtp)
    machine.send_many(ENVELOPE)
    machine.receive(b"250 ok\r\n" * 3 + b"354 go\r\n")
    return machine


def in_state(state: State) -> Machine:
    """Return a machine in any state, brought there by a dialogue."""
    machine = ready()
    match state:
        case State.GREETING:
            machine = Machine()
        case State.REFUSED | State.CONNECTED:
            machine = Machine()
            machine.receive(b"220 mx\r\n" if state is State.CONNECTED else b"554 no\r\n")
        case State.STARTING_TLS | State.TLS_HANDSHAKE:
            machine.send(StartTls())
            machine.receive(b"220 go\r\n" if state is State.TLS_HANDSHAKE else b"")
        case State.LOGGING_IN | State.CHALLENGED | State.CANCELLING:
            machine.send(Auth("LOGIN"))
            machine.receive(b"" if state is State.LOGGING_IN else b"334 PDE+\r\n")
            if state is State.CANCELLING:
                machine.send(SaslCancel())
        case State.ENVELOPE:
            machine.send(Mail(SENDER))
            machine.receive(b"250 ok\r\n")
        case State.ASKING:
            machine.send_many(ENVELOPE)
        case State.CONTENT | State.ENDING:
            machine = in_content()
            if state is State.ENDING:
                machine.end()
        case State.LEAVING | State.CLOSED:
            machine.send(Quit())
            machine.receive(b"221 bye\r\n" if state is State.CLOSED else b"")
        case State.BROKEN:
            machine = Machine()
            feed(machine, [b"+OK POP3\r\n"])
    assert machine.state is state
    return machine


def feed(machine: Machine, pieces: Iterable[bytes]) -> tuple[list[Reply], RemoteProtocolError | None]:
    """Feed the pieces; return all replies, and the error that ended the dialogue."""
    replies: list[Reply] = []
    try:
        for piece in pieces:
            replies += machine.receive(piece)
        machine.check()
    except RemoteProtocolError as error:
        return replies, error
    return replies, None
