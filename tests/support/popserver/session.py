"""A session that has a policy, and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import trio

from tests.support.popserver import sasl
from tests.support.popserver.faults import ConnectionCutOff, Faults, PipelineFault, QuitFault, Stalled
from tests.support.popserver.maildrop import ServedMaildrop
from tests.support.popserver.policy import Mechanism, Utf8Support
from tui_popretr import popserver
from tui_popretr.popserver import Message
from tui_popretr.popserver.channel import Channel, Disconnected, decoded, encoded
from tui_popretr.popserver.multiline import dot_stuffed, top
from tui_popretr.popserver.sasl import Exchange
from tui_popretr.popserver.session import ServerSession
from tui_popretr.popserver.transaction import Handler, Refused, Transaction, number_of

if TYPE_CHECKING:
    from tests.support.popserver.server import PopServer


class RecordingChannel(Channel):
    """Reports each line to `record`, with "C" or "S" for its sender. Of a multi-line response, only the status line."""

    def __init__(self, stream: trio.abc.Stream, timeout: float, record: Callable[[str, bytes], None]) -> None:
        super().__init__(stream, timeout)
        self.pipelined = False  # whether the last line was there before it was read
        self._record = record

    @property
    def certificate_name(self) -> str | None:
        """The CN of the client's verified certificate."""
        if not isinstance(self.stream, trio.SSLStream):
            return None
        certificate = self.stream.getpeercert() or {}
        names = [value for rdn in certificate.get("subject", ()) for key, value in rdn if key == "commonName"]
        return names[-1] if names else None

    @property
    def binding(self) -> bytes | None:
        """The channel binding tls-unique (RFC 5929 §3); None in clear, and under TLS 1.3."""
        stream = self.stream
        if not isinstance(stream, trio.SSLStream) or stream.version() == "TLSv1.3":
            return None
        binding: bytes | None = stream.get_channel_binding("tls-unique")
        return binding

    async def read_line(self, limit: int) -> bytes:
        self.pipelined = b"\n" in self.received[:limit]
        line = await super().read_line(limit)
        self._record("C", line)
        return line

    async def reply(self, text: str) -> None:
        self._record("S", encoded(text))
        await super().reply(text)

    async def raw(self, octets: bytes) -> None:
        """Write octets that need not be a reply."""
        self._record("S", octets)
        await self.write(octets)

    async def stall(self) -> None:
        """Send the buffered octets, then read and ignore everything until the client is gone."""
        await self.flush()
        while True:
            self.received.clear()
            self.received += await self._receive()


class FaultySession(ServerSession):
    """A session with a policy and faults. The faults are the server's, and from the login on the maildrop's."""

    channel: RecordingChannel

    def __init__(self, server: PopServer, channel: RecordingChannel) -> None:
        super().__init__(server.maildrops, server.tls, channel)
        self._server = server
        self._policy = server.policy
        self._faults = server.faults
        self._utf8 = False  # whether the client has sent UTF8

    async def converse(self, *, implicit_tls: bool) -> None:
        self.channel.rate = self._faults.rate
        try:
            await super().converse(implicit_tls=implicit_tls)
        except Stalled:
            # the lock stays held, as on a server that hangs
            await self.channel.stall()
        except ConnectionCutOff:
            self.close_maildrop()
            await self.channel.flush()
            raise Disconnected from None

    # --- faults -----------------------------------------------------------------------------------------------------

    async def greet(self) -> None:
        if not await self._misbehaved("GREETING"):
            await super().greet()

    async def obey(self, line: bytes) -> None:
        self._server.pipelined += self.channel.pipelined
        verb = decoded(line).partition(" ")[0].upper()
        if not (await self._pipeline_failed() or await self._misbehaved(verb)):
            await super().obey(line)

    async def _pipeline_failed(self) -> bool:
        """Apply a fault of pipelining. Returns whether the command is answered, or never will be."""
        fault, room, received = self._faults.pipeline, self._faults.pipeline_room, self.channel.received
        if fault is PipelineFault.NONE or len(received) <= room:
            return False
        if fault is PipelineFault.CUT:
            raise ConnectionCutOff
        del received[received.rfind(b"\n", 0, room) + 1 :]
        if fault is PipelineFault.GARBAGE:
            await self.channel.raw(b"*** buffer overrun ***\r\n")
        elif fault is PipelineFault.REFUSED:
            await self.refuse(Refused("unknown command"))
        return fault is not PipelineFault.FORGOTTEN

    async def _misbehaved(self, verb: str) -> bool:
        """Apply the faults of a command. Returns whether they have answered it."""
        if self._faults.delay:
            await self.channel.flush()
            await trio.sleep(self._faults.delay)
        self._faults.before(verb)
        answer = self._faults.answers.get(verb)
        if answer is None:
            return False
        await self.channel.raw(answer)
        return True

    async def read_response(self) -> bytes:
        line = await super().read_response()
        self._faults.before("RESPONSE")
        return line

    async def start_tls(self) -> None:
        self._faults.before("HANDSHAKE")
        await super().start_tls()

    async def quit(self, argument: str) -> None:
        if self.transaction is not None:
            match self._faults.quit:
                case QuitFault.REFUSED:
                    self.ended = True
                    raise Refused("the deleted messages are not removed", "SYS/TEMP")
                case QuitFault.CUT_BEFORE_UPDATE:
                    raise ConnectionCutOff
                case QuitFault.CUT_AFTER_UPDATE:
                    self.transaction.update()
                    raise ConnectionCutOff
                case QuitFault.KEEP:
                    self.transaction.deleted.clear()
        await super().quit(argument)

    # --- policy -----------------------------------------------------------------------------------------------------

    def greeting(self) -> str:
        greeting = super().greeting()
        if Mechanism.APOP in self._policy.clear | self._policy.tls:
            return greeting
        return greeting.removesuffix(f" {self.timestamp}")

    async def perform(self, verb: str, argument: str) -> None:
        if not self._policy.knows(verb):
            raise Refused("unknown command")
        if self.transaction is None and verb in ("USER", "PASS", "APOP", "AUTH"):
            name = argument.partition(" ")[0].upper() if verb == "AUTH" else verb.replace("PASS", "USER")
            mechanism = next((known for known in Mechanism if known.value == name), None)
            if mechanism is not None and mechanism not in self._offered():
                wants_tls = not self.channel.under_tls and mechanism in self._policy.tls
                raise Refused("only under TLS" if wants_tls else "this mechanism is not offered")
        await super().perform(verb, argument)

    def commands(self) -> Mapping[str, Handler]:
        if self.transaction is not None:
            return super().commands()
        return {**super().commands(), "UTF8": self.utf8}

    async def refuse(self, refused: Refused) -> None:
        await super().refuse(refused if self._policy.resp_codes else Refused(str(refused)))

    def capabilities(self) -> Iterator[str]:
        policy = self._policy
        if policy.top:
            yield "TOP"
        if policy.uidl:
            yield "UIDL"
        if policy.resp_codes:
            yield "RESP-CODES"
            yield "AUTH-RESP-CODE"
        if policy.pipelining:
            yield "PIPELINING"
        if policy.utf8 is not Utf8Support.UNKNOWN:
            yield "UTF8"
        if policy.stls and self.stls_offered:
            yield "STLS"
        if Mechanism.USER in self._offered():
            yield "USER"
        if names := tuple(self.mechanisms()):
            yield " ".join(("SASL", *names))
        if policy.login_delay is not None:
            yield f"LOGIN-DELAY {policy.login_delay:.0f}"
        if policy.expire is not None:
            yield f"EXPIRE {policy.expire}"
        if policy.implementation is not None:
            yield f"IMPLEMENTATION {policy.implementation}"

    def _offered(self) -> frozenset[Mechanism]:
        return self._policy.mechanisms(under_tls=self.channel.under_tls, bound=self.channel.binding is not None)

    def mechanisms(self) -> Mapping[str, Callable[[], Exchange]]:
        offered = self._offered()
        plus = any(mechanism.value.endswith("-PLUS") for mechanism in offered)
        gate = sasl.Gate(
            self.maildrops, self.channel.certificate_name, self.channel.binding if plus else None, self._faults.sasl
        )
        return {each.value: partial(start, gate) for each, start in sasl.MECHANISMS.items() if each in offered}

    async def utf8(self, _argument: str) -> None:
        """RFC 6856 §2.1."""
        self._utf8 = True
        await self.channel.reply("+OK UTF-8")

    async def stls(self, argument: str) -> None:
        self._utf8 = False  # RFC 2595 §4
        await super().stls(argument)

    def open_maildrop(self, maildrop: popserver.ServedMaildrop) -> Transaction:
        assert isinstance(maildrop, ServedMaildrop)
        last_logins, now, delay = self._server.last_logins, self._server.clock(), self._policy.login_delay
        if delay is not None and now - last_logins.get(maildrop.name, -inf) < delay:
            raise Refused("too soon after the last login", "LOGIN-DELAY")
        faults = self._server.faults if maildrop.faults is None else maildrop.faults
        without_utf8 = Utf8Support.UNKNOWN if self._utf8 else self._policy.utf8
        opened = FaultyTransaction(maildrop, self.channel, faults, without_utf8)
        last_logins[maildrop.name] = now
        self._faults = faults
        self.channel.rate = faults.rate
        return opened


class FaultyTransaction(Transaction):
    """A transaction with faults; `without_utf8` is what happens to messages with UTF-8 in their headers."""

    maildrop: ServedMaildrop

    def __init__(self, maildrop: ServedMaildrop, channel: Channel, faults: Faults, without_utf8: Utf8Support) -> None:
        super().__init__(maildrop, channel)
        self._faults = faults
        self._without_utf8 = without_utf8

    async def retr(self, argument: str) -> None:
        number, message = self.find(argument)
        if self._faults.refuses(number, message.uid):
            raise Refused("this message cannot be read", "SYS/PERM")
        message = self._shown(message)
        wire = self._faults.body(number, message.uid, dot_stuffed(message.chunks()))
        await self.channel.multiline(f"+OK {message.size} octets", wire)
        self.maildrop.retrieved.append(message.uid)

    async def top(self, argument: str) -> None:
        number, _, lines = argument.partition(" ")
        _, message = self.find(number)
        beginning = top(self._shown(message).chunks(), number_of(lines))
        await self.channel.multiline("+OK", dot_stuffed(beginning))

    def _shown(self, message: Message) -> Message:
        """Return what is sent for a message."""
        if self._without_utf8 is Utf8Support.UNKNOWN:
            return message
        header = b"".join(message.chunks()).partition(b"\r\n\r\n")[0]
        if header.isascii():
            return message
        if self._without_utf8 is Utf8Support.REFUSED:
            raise Refused("this message has UTF-8 in its header", "UTF8")
        kept = [line for line in header.split(b"\r\n") if line.isascii()]
        notice = [*kept, b"Subject: This message needs UTF8", b"", b"Cannot display Unicode content.", b""]
        return Message.of(b"\r\n".join(notice), message.uid)
