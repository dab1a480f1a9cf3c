"""A mail server for tests, SMTP or LMTP (aiosmtpd), that can be told to fail at each step."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.support.waiting import PATIENCE
from tui_popretr.config.model import SmtpDestination

SENDER = "popretr@receiver.test"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that was accepted, for those who have it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Say:
    """Answer so instead of what would be answered; several lines have CRLF between them."""

    text: str
    then_drop: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer."""


Action = Say | Drop | Hang


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes at most, and what it says beyond that. None: any number."""

    recipients: int | None = None  # in a transaction
    too_many: str = "452 4.5.3 Error: too many recipients"
    messages: int | None = None  # in a connection
    at: str = "MAIL"  # the step that refuses the next one: MAIL, RCPT or DATA
    no_more: str = "452 4.3.2 too many messages in this connection"
    errors: int | None = None  # in a connection; then it hangs up
    last_word: str = "421 4.7.0 too many errors"  # "" for none
    unknown: frozenset[str] = frozenset()  # recipients that there are not
    #: What comes in one packet with MAIL is thrown away, although PIPELINING is offered.
    deaf: bool = False
    #: What comes in one packet with the end of a message is thrown away.
    deaf_after_end: bool = False


@dataclass
class Receiver:
    """What it does and what came of it. `script` has actions for CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT ADDRESS,
    DATA, BODY (when some of the message has come), DOT, RSET, NOOP and QUIT, each used up when its time comes."""

    lmtp: bool = False
    pipelining: bool = True
    port: int = 0
    path: str | None = None
    mails: list[Mail] = field(default_factory=list)
    dialogue: list[str] = field(default_factory=list)
    connections: int = 0
    script: dict[str, deque[Action]] = field(default_factory=dict)
    #: Of LMTP, answers to the end of a message by recipient; used up as the script.
    verdicts: dict[str, deque[str]] = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: Limits())

    def on(self, step: str, *actions: Action) -> None:
        """Add actions for the next times that a step is reached."""
        self.script.setdefault(step, deque()).extend(actions)

    def next_action(self, step: str) -> Action | None:
        actions = self.script.get(step)
        return actions.popleft() if actions else None

    def destination(self, *recipients: str, **settings: Any) -> SmtpDestination:
        """Return the settings that lead here."""
        where = {"socket_path": self.path} if self.path else {"host": "127.0.0.1", "port": self.port}
        return SmtpDestination(
            settings.pop("sender", SENDER), recipients or ("a@receiver.test",), lmtp=self.lmtp, **where, **settings
        )

    def commands(self, verb: str) -> list[str]:
        """The command lines with that verb."""
        return [line for line in self.dialogue if line.split(" ")[0].upper() == verb]


class _Server(SMTP):
    """aiosmtpd with the script put in front of each step."""

    def __init__(self, receiver: Receiver, **settings: Any) -> None:
        self._receiver = receiver
        self._taken = self._errors = 0
        super().__init__(self, hostname="receiver.test", **settings)
        for name in ("EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT"):
            self._smtp_methods[name] = self._watched(name, self._smtp_methods[name])
        if receiver.lmtp:
            self._smtp_methods["LHLO"] = self._smtp_methods.pop("EHLO")
            del self._smtp_methods["HELO"]

    def _watched(
        self, name: str, method: Callable[[str | None], Awaitable[None]]
    ) -> Callable[[str | None], Awaitable[None]]:
        async def watched(argument: str | None) -> None:
            self._receiver.dialogue.append(f"{name} {argument or ''}".strip())
            step = f"RCPT {(argument or '').partition('<')[2].partition('>')[0]}" if name == "RCPT" else name
            if name == "MAIL" and self._receiver.limits.deaf:
                self._reader._buffer.clear()  # type: ignore[attr-defined]
            if not (await self._acted(step) or await self._limited(step)):
                if name == "DATA" and (action := self._receiver.next_action("BODY")) is not None:
                    await self.push("354 go on")
                    await self._reader.readuntil(b"\r\n")
                    await self._act(action)
                else:
                    await method(argument)

        return watched

    async def _handle_client(self) -> None:
        self._receiver.connections += 1
        if not await self._acted("CONNECT"):
            await super()._handle_client()

    async def _acted(self, step: str) -> bool:
        action = self._receiver.next_action(step)
        if action is not None:
            await self._act(action)
        return action is not None

    async def _limited(self, step: str) -> bool:
        """Refuse what is beyond a limit."""
        limits = self._receiver.limits
        name, _, recipient = step.partition(" ")
        if limits.messages is not None and self._taken >= limits.messages and name == limits.at:
            await self._act(Say(limits.no_more, then_drop=limits.no_more.startswith("421")))
        elif name == "RCPT" and recipient in limits.unknown:
            self._errors += 1
            if limits.errors is not None and self._errors > limits.errors:
                await self._act(Say(limits.last_word, then_drop=True) if limits.last_word else Drop())
            else:
                await self.push("550 5.1.1 no such user")
        elif name == "RCPT" and self.envelope and len(self.envelope.rcpt_tos) >= (limits.recipients or 1000):
            await self.push(limits.too_many)
        else:
            return False
        return True

    async def _act(self, action: Action) -> None:
        match action:
            case Hang():
                await asyncio.get_running_loop().create_future()
            case Say(text, then_drop):
                await self.push(text)
                if then_drop:
                    self._hang_up()
            case Drop():
                self._hang_up()

    def _hang_up(self) -> None:
        assert self.transport is not None
        self.transport.close()

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]] if self._receiver.pipelining else responses

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        receiver = self._receiver
        assert isinstance(envelope.content, bytes)
        if receiver.limits.deaf_after_end:
            self._reader._buffer.clear()  # type: ignore[attr-defined]
        if action := receiver.next_action("DOT"):
            if isinstance(action, Say) and not action.then_drop:
                return action.text
            await self._act(action)
            return "451 nobody hears this"
        options = tuple(envelope.mail_options)
        answers = []
        have_it = []
        for recipient in envelope.rcpt_tos:
            verdicts = receiver.verdicts.get(recipient) if receiver.lmtp else None
            answer = verdicts.popleft() if verdicts else f"250 2.0.0 <{recipient}> has it as M{len(receiver.mails) + 1}"
            answers.append(answer)
            if answer.startswith("250"):
                have_it.append(recipient)
        self._taken += 1
        if have_it:
            receiver.mails.append(Mail(str(envelope.mail_from), tuple(have_it), envelope.content, options))
        return "\r\n".join(answers) if receiver.lmtp else f"250 2.0.0 Ok: queued as M{len(receiver.mails)}"


def judge_login(server: object, session: object, envelope: object, mechanism: str, data: Any) -> AuthResult:
    right = data.login == b"me" and data.password == "geheim ü".encode()
    return AuthResult(success=right, handled=False)


@contextmanager
def receiving(
    *,
    lmtp: bool = False,
    pipelining: bool = True,
    path: Path | None = None,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: bool = False,
    size_limit: int | None = None,
    utf8: bool = False,
) -> Iterator[Receiver]:
    """Run a receiver in a thread while the block runs: on a free port of 127.0.0.1, or on the Unix socket `path`.

    `tls` is for TLS from the first byte, `starttls` for STARTTLS. `login`: as "me" with "geheim ü".
    """
    receiver = Receiver(lmtp, pipelining, path=str(path) if path else None)
    loop = asyncio.new_event_loop()
    servers: list[SMTP] = []

    def server() -> SMTP:
        servers.append(
            made := _Server(
                receiver,
                loop=loop,
                tls_context=starttls,
                data_size_limit=size_limit,
                enable_SMTPUTF8=utf8,
                auth_require_tls=not login or starttls is not None,
                authenticator=judge_login,
            )
        )
        return made

    async def listen() -> asyncio.Server:
        if path:
            return await loop.create_unix_server(server, str(path))
        return await loop.create_server(server, "127.0.0.1", 0, ssl=tls)

    async def stop(listening: asyncio.Server) -> None:
        listening.close()
        while any(each.transport is not None for each in servers):
            for each in servers:
                if isinstance(each.transport, asyncio.Transport):
                    # Python 3.11 raises this for a TLS transport that was closed twice.
                    with contextlib.suppress(AttributeError):
                        each.transport.abort()
            await asyncio.sleep(0)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, name="receiver")
    thread.start()
    try:
        listening = asyncio.run_coroutine_threadsafe(listen(), loop).result(PATIENCE)
        if not path:
            receiver.port = listening.sockets[0].getsockname()[1]
        try:
            yield receiver
        finally:
            asyncio.run_coroutine_threadsafe(stop(listening), loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
