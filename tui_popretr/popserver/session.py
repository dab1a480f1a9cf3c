"""One POP3 session, server side: greeting, the commands of AUTHORIZATION, and those of both states (RFC 1939 §3)."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

import trio

from tui_popretr.popserver import sasl
from tui_popretr.popserver.channel import Channel, LineTooLong
from tui_popretr.popserver.faults import ConnectionCutOff, Faults, PipelineFault, QuitFault, Stalled
from tui_popretr.popserver.maildrop import MaildropInUse, ServedMaildrop
from tui_popretr.popserver.policy import Mechanism, ServerPolicy, Utf8Support
from tui_popretr.popserver.replies import Refused, Replies
from tui_popretr.popserver.tally import ServerCounters
from tui_popretr.popserver.transaction import TransactionState

_COMMAND_BOUND = 8192
_RESPONSE_BOUND = 12288  # RFC 4954 §4


@dataclass(frozen=True, slots=True)
class ServerState:
    """What all sessions of a server share."""

    maildrops: Mapping[str, ServedMaildrop]
    policy: ServerPolicy
    tls: ssl.SSLContext | None
    faults: Faults
    tally: ServerCounters
    clock: Callable[[], float]


class ServerSession:
    """The dialogue over one channel; with a transaction it is in the TRANSACTION state, else in AUTHORIZATION."""

    def __init__(self, around: ServerState, channel: Channel, number: int) -> None:
        self._around = around
        self._policy = around.policy
        self._faults = around.faults
        self._channel = channel
        self._number = number
        self._replies = Replies(channel, around.tally, number, resp_codes=around.policy.resp_codes)
        self._transaction: TransactionState | None = None
        self._ended = False
        self._stamp = ""
        self._user: str | None = None
        self._utf8 = False  # whether messages are sent with UTF-8 in their headers

    async def run(self) -> None:
        """Converse until the client has quit; all replies are sent then.

        Raises Disconnected when the client goes away, and ConnectionCutOff where the faults want it. Whatever happens,
        the maildrop's lock is released; deletions are applied by QUIT alone.
        """
        self._channel.rate = self._faults.rate
        try:
            await self._greet()
            while not self._ended:
                await self._obey(await self._channel.read_line(_COMMAND_BOUND))
        except LineTooLong:
            await self._replies.status("-ERR the line is too long")
        except Stalled:
            # with the lock held, as a server that hangs would
            await self._channel.discard()
        finally:
            self._release()
        await self._channel.flush()

    async def _greet(self) -> None:
        if await self._misbehaved("GREETING"):
            return
        greeting = "+OK POP3 for demonstration, loopback only"
        if Mechanism.APOP in self._policy.clear | self._policy.tls:
            self._stamp = sasl.timestamp()
            greeting = f"{greeting} {self._stamp}"
        await self._replies.status(greeting)

    async def _obey(self, line: bytes) -> None:
        self._around.tally.pipelined += self._channel.pipelined
        self._around.tally.said(self._number, "C", line)
        verb, _, argument = sasl.text(line).partition(" ")
        verb = verb.upper()
        if await self._overasked() or await self._misbehaved(verb):
            return
        try:
            await self._perform(verb, argument)
        except Refused as refused:
            await self._replies.refuse(refused)
        except sasl.CredentialsRejected:
            await self._replies.refuse(Refused("no such name and password here", "AUTH"))

    async def _perform(self, verb: str, argument: str) -> None:
        if not self._policy.knows(verb):
            raise Refused("unknown command")
        if verb in self._ANY_STATE:
            await self._ANY_STATE[verb](self, argument)
        elif self._transaction is not None and verb in TransactionState.COMMANDS:
            await TransactionState.COMMANDS[verb](self._transaction, argument)
        elif self._transaction is None and verb in self._AUTHORIZATION:
            await self._AUTHORIZATION[verb](self, argument)
        elif verb in TransactionState.COMMANDS:
            raise Refused("log in first")
        elif verb in self._AUTHORIZATION:
            raise Refused("you are logged in already")
        else:
            raise Refused("unknown command")

    async def _overasked(self) -> bool:
        """Let a fault of pipelining have its way; True when it has answered."""
        fault, room = self._faults.pipeline, self._faults.pipeline_room
        if fault is PipelineFault.NONE or self._channel.waiting <= room:
            return False
        if fault is PipelineFault.CUT:
            raise ConnectionCutOff
        self._channel.forget(room)
        if fault is PipelineFault.GARBAGE:
            await self._replies.raw(b"*** buffer overrun ***\r\n")
        elif fault is PipelineFault.REFUSED:
            await self._replies.refuse(Refused("unknown command"))
        return fault is not PipelineFault.FORGOTTEN

    async def _misbehaved(self, verb: str) -> bool:
        """Let the faults have their way first; True when they have answered."""
        if self._faults.delay:
            await self._channel.flush()
            await trio.sleep(self._faults.delay)
        self._faults.before(verb)
        answer = self._faults.answers.get(verb)
        if answer is None:
            return False
        await self._replies.raw(answer)
        return True

    def _release(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.close()

    # --- both states ------------------------------------------------------------------------------------------------

    async def _capa(self, _argument: str) -> None:
        await self._replies.rows("+OK what there is", self._capabilities())

    def _capabilities(self) -> Iterator[str]:
        """RFC 2449 §6, RFC 2595 §4, RFC 3206 §6, RFC 5034 §3."""
        policy, mechanisms = self._policy, self._mechanisms()
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
        if policy.stls and self._around.tls is not None and not self._channel.under_tls and self._transaction is None:
            yield "STLS"
        if Mechanism.USER in mechanisms:
            yield "USER"
        names = [mechanism.value for mechanism in sasl.MECHANISMS if mechanism in mechanisms]
        if names:
            yield " ".join(("SASL", *names))
        if policy.login_delay is not None:
            yield f"LOGIN-DELAY {policy.login_delay:.0f}"
        if policy.expire is not None:
            yield f"EXPIRE {policy.expire}"
        if policy.implementation is not None:
            yield f"IMPLEMENTATION {policy.implementation}"

    async def _quit(self, _argument: str) -> None:
        self._ended = True
        if self._transaction is not None:
            fault = self._faults.quit
            if fault is QuitFault.REFUSED:
                raise Refused("the deleted messages are not removed", "SYS/TEMP")
            if fault is QuitFault.CUT_BEFORE_UPDATE:
                raise ConnectionCutOff
            if fault is not QuitFault.KEEP:
                self._transaction.update()
            # before the answer: who has seen it may log in again at once
            self._release()
            if fault is QuitFault.CUT_AFTER_UPDATE:
                raise ConnectionCutOff
        await self._replies.status("+OK good-bye")

    # --- AUTHORIZATION ----------------------------------------------------------------------------------------------

    def _mechanisms(self) -> frozenset[Mechanism]:
        channel = self._channel
        return self._policy.mechanisms(under_tls=channel.under_tls, bound=channel.binding is not None)

    def _require(self, mechanism: Mechanism) -> None:
        if mechanism in self._mechanisms():
            return
        wants_tls = not self._channel.under_tls and mechanism in self._policy.tls
        raise Refused("only under TLS" if wants_tls else "this mechanism is not offered")

    def _gate(self) -> sasl.Gate:
        channel = self._channel
        plus = any(each.value.endswith("-PLUS") for each in self._mechanisms())
        return sasl.Gate(
            self._around.maildrops, channel.certificate_name, channel.binding if plus else None, self._faults.sasl
        )

    async def _user_command(self, argument: str) -> None:
        self._require(Mechanism.USER)
        if not argument:
            raise Refused("USER wants a name")
        self._user = argument
        await self._replies.status("+OK and the password")

    async def _pass_command(self, argument: str) -> None:
        self._require(Mechanism.USER)
        if self._user is None:
            raise Refused("USER comes first")
        name, self._user = self._user, None
        await self._login(self._gate().by_password(name, argument))

    async def _apop(self, argument: str) -> None:
        self._require(Mechanism.APOP)
        name, space, digest = argument.rpartition(" ")
        if not space:
            raise Refused("APOP wants a name and a digest")

        def proof(password: str) -> str:
            octets = (self._stamp + password).encode("utf-8", "surrogateescape")
            return hashlib.md5(octets, usedforsecurity=False).hexdigest()

        await self._login(self._gate().by_proof(name, proof, digest.lower()))

    async def _auth(self, argument: str) -> None:
        name, _, initial = argument.partition(" ")
        mechanism = next((known for known in sasl.MECHANISMS if known.value == name.upper()), None)
        if mechanism is None:
            raise Refused("no such mechanism")
        self._require(mechanism)
        try:
            maildrop = await self._exchange(sasl.MECHANISMS[mechanism](self._gate()), initial.encode(errors="replace"))
        except sasl.MalformedResponse:
            raise Refused("that is not a response of this mechanism") from None
        await self._login(maildrop)

    async def _exchange(self, exchange: sasl.Exchange, initial: bytes) -> ServedMaildrop:
        """Carry challenges and responses to and fro (RFC 5034 §4)."""
        try:
            challenge = next(exchange)
            if initial:
                if challenge:
                    raise Refused("this mechanism takes no initial response")
                challenge = exchange.send(sasl.decode(initial))
            while True:
                await self._replies.status(f"+ {base64.b64encode(challenge).decode()}")
                line = await self._channel.read_line(_RESPONSE_BOUND)
                self._around.tally.said(self._number, "C", line)
                if line == b"*":
                    raise Refused("cancelled")
                self._faults.before("RESPONSE")
                challenge = exchange.send(sasl.decode(line))
        except StopIteration as finished:
            maildrop: ServedMaildrop = finished.value
            return maildrop

    async def _login(self, maildrop: ServedMaildrop) -> None:
        last_login, delay = self._around.tally.last_login, self._policy.login_delay
        now = self._around.clock()
        if delay is not None and maildrop.name in last_login and now - last_login[maildrop.name] < delay:
            raise Refused("too soon after the last login", "LOGIN-DELAY")
        faults = self._around.faults if maildrop.faults is None else maildrop.faults
        try:
            without = Utf8Support.UNKNOWN if self._utf8 else self._policy.utf8
            self._transaction = TransactionState(maildrop, self._replies, faults, without)
        except MaildropInUse:
            raise Refused("another session has the maildrop open", "IN-USE") from None
        last_login[maildrop.name] = now
        self._faults = faults
        self._channel.rate = faults.rate
        await self._replies.status(f"+OK {self._transaction.count} messages")

    async def _utf8_command(self, _argument: str) -> None:
        """RFC 6856 §2.1."""
        self._utf8 = True
        await self._replies.status("+OK UTF-8 it is")

    async def _stls(self, _argument: str) -> None:
        context = self._around.tls
        if context is None or self._channel.under_tls:
            raise Refused("no TLS to be had")
        await self._replies.status("+OK begin")
        # RFC 2595 §4: what the client said before is forgotten
        self._user = None
        self._utf8 = False
        await self._channel.flush()
        self._faults.before("HANDSHAKE")
        await self._channel.start_tls(context)

    _ANY_STATE: Mapping[str, Callable[[ServerSession, str], Awaitable[None]]] = {"CAPA": _capa, "QUIT": _quit}
    _AUTHORIZATION: Mapping[str, Callable[[ServerSession, str], Awaitable[None]]] = {
        "USER": _user_command,
        "PASS": _pass_command,
        "APOP": _apop,
        "AUTH": _auth,
        "STLS": _stls,
        "UTF8": _utf8_command,
    }
