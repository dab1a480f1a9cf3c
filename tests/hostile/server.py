"""A POP3 server that behaves, but where its script has something else for a command."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ssl
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from socket import SO_LINGER, SOL_SOCKET
from typing import Final

import trio

from tests.hostile.script import TICK, Act, Play, Say, Script
from tests.support.passwords import PASSWORD

USER: Final = "alice"
STAMP = "<1896.697170952@pop.example.test>"
CHALLENGE = b"<1896.697170952@cram.example.test>"

_PLAIN = b64encode(b"\0%b\0%b" % (USER.encode(), PASSWORD.encode()))
_LOGIN = [b64encode(USER.encode()), b64encode(PASSWORD.encode())]
_APOP = hashlib.md5(f"{STAMP}{PASSWORD}".encode()).hexdigest().encode()
_CRAM = hmac.new(PASSWORD.encode(), CHALLENGE, "md5").hexdigest().encode()
#: The password in each form that gives it away.
PASSWORDS: Final = (PASSWORD.encode(), _PLAIN, b64encode(PASSWORD.encode()).rstrip(b"="))
#: What must not be shown: the digests too, as a password can be guessed from them.
SECRETS: Final = (*PASSWORDS, _APOP, _CRAM, b64encode(b"%b %b" % (USER.encode(), _CRAM)))
#: What stands for a TLS handshake in memory, from either side.
HELLO: Final = b"hello\r\n"
_MECHANISMS = ("PLAIN", "CRAM-MD5")
_OVER = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError)


class _Gone(Exception):
    """The connection is over."""


class HostileServer:
    """One account; `mails` are its messages by UID, which end in CRLF or are empty. Deletions take effect at QUIT."""

    def __init__(
        self,
        mails: Mapping[str, bytes],
        script: Script,
        *,
        pipelining: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.mails = dict(mails)
        self.script = script
        self.pipelining = pipelining
        self.tls = tls
        #: The lines that clients sent, of each connection; under TLS deciphered.
        self.heard: list[list[bytes]] = []
        #: How often a client has sent the password before TLS.
        self.told_in_clear = 0
        #: Octets sent.
        self.sent = 0
        self._connections = 0

    def cure(self) -> None:
        """From now on it behaves."""
        self.script = {}

    @property
    def told(self) -> int:
        """How often a client has sent the password."""
        return sum(_tells(line) for lines in self.heard for line in lines)

    def verbs(self, connection: int = -1) -> list[str]:
        """The commands of a connection, the last unless said otherwise."""
        return [line.split(b" ")[0].decode() for line in self.heard[connection]]

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serve one connection to its end."""
        self.heard.append([])
        self._connections += 1
        connection = _Connection(self, stream)
        with contextlib.suppress(_Gone, *_OVER):
            await connection.run()
        await connection.end()
        self._connections -= 1

    async def left(self) -> None:
        """Wait until all clients have gone, and have been heard to their last octet."""
        while self._connections:  # noqa: ASYNC110 - simpler than an event for a number
            await trio.sleep(TICK)


class _Connection:
    """One connection: the dialogue, and the script's part in it."""

    def __init__(self, server: HostileServer, stream: trio.abc.Stream) -> None:
        self._server = server
        self._stream = stream
        self._lines = server.heard[-1]
        self._received = b""
        self._mails = list(server.mails.items())
        self._doomed: set[int] = set()
        self._mechanism = b""
        self._private = False  # under TLS
        self._challenged = False  # the last line said was a challenge

    async def run(self) -> None:
        await self._obey("GREETING")
        while True:
            line = await self._line()
            key = "RESPONSE" if self._challenged else line.decode("utf-8", "backslashreplace")
            await self._obey(key, line)

    async def end(self) -> None:
        """Read what the client has sent, and close."""
        with contextlib.suppress(_Gone, *_OVER):
            while True:
                await self._line()
        await trio.aclose_forcefully(self._stream)

    async def _line(self) -> bytes:
        while b"\r\n" not in self._received:
            octets = await self._stream.receive_some(65536)
            if not octets:
                if self._received:
                    self._hear(self._received)
                raise _Gone
            self._received += octets
        line, _, self._received = self._received.partition(b"\r\n")
        self._hear(line)
        return line

    def _hear(self, line: bytes) -> None:
        if line == HELLO.strip():
            return
        self._lines.append(line)
        self._server.told_in_clear += _tells(line) and not self._private

    async def _obey(self, key: str, line: bytes = b"") -> None:
        script, verb = self._server.script, key.partition(" ")[0]
        play: Play = script.get(key, script.get(verb, Say()))
        for step in play if isinstance(play, tuple) else (play,):
            if isinstance(step, Act):
                await self._act(step)
            elif isinstance(step, float):
                await trio.sleep(step)
            else:
                await self._say(step if isinstance(step, Say) else Say(step), verb, line)
        if verb == "STLS" and play == Say():
            await self._act(Act.HANDSHAKE)
        if verb == "QUIT" and play == Say():
            raise _Gone

    # --- the script's part --------------------------------------------------------------------------------------------

    async def _say(self, say: Say, verb: str, line: bytes) -> None:
        octets = say.edit(self._ordinary(verb, line) if say.octets is None else say.octets)
        octets = octets[say.start : say.stop] + say.more
        self._challenged = verb in ("AUTH", "RESPONSE") and octets.startswith(b"+") and not octets.startswith(b"+OK")
        for segment in _segments(octets, say):
            await self._stream.send_all(segment)
            self._server.sent += len(segment)
            if say.size is not None:
                await trio.sleep(say.pause)

    async def _act(self, act: Act) -> None:
        match act:
            case Act.CUT:
                await self._stream.aclose()
                raise _Gone
            case Act.DROP | Act.RESET:
                stream = self._stream
                while isinstance(stream, trio.SSLStream):
                    stream = stream.transport_stream
                assert isinstance(stream, trio.SocketStream)
                if act is Act.RESET:
                    stream.socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                stream.socket.close()
                raise _Gone
            case Act.SILENCE:
                while True:
                    await self._line()
            case Act.HANDSHAKE:
                await self._handshake()

    async def _handshake(self) -> None:
        if self._server.tls is None:  # in memory
            assert await self._line() == HELLO.strip()
            await self._stream.send_all(HELLO)
        else:
            self._stream, self._received = trio.SSLStream(self._stream, self._server.tls, server_side=True), b""
            await self._stream.do_handshake()
        self._private = True

    # --- the ordinary part --------------------------------------------------------------------------------------------

    def _ordinary(self, verb: str, line: bytes) -> bytes:
        argument = line.partition(b" ")[2]
        answers: dict[str, Callable[[bytes], bytes]] = {
            "GREETING": lambda _: b"+OK ready %b\r\n" % STAMP.encode(),
            "CAPA": self._capa,
            "STLS": lambda _: b"+OK begin\r\n",
            "USER": lambda _: b"+OK\r\n",
            "PASS": lambda given: _verdict(given == PASSWORD.encode()),
            "APOP": lambda given: _verdict(given == b"%b %b" % (USER.encode(), _APOP)),
            "AUTH": self._auth,
            "RESPONSE": lambda _: self._response(line),
            "STAT": lambda _: b"+OK %d %d\r\n" % (len(self._mails), sum(len(mail) for _, mail in self._mails)),
            "UIDL": lambda _: _rows(b"%d %b" % (number, uid.encode()) for number, (uid, _) in self._numbered()),
            "LIST": lambda _: _rows(b"%d %d" % (number, len(mail)) for number, (_, mail) in self._numbered()),
            "RETR": lambda which: b"+OK\r\n" + _stuffed(self._mail(which)),
            "TOP": lambda which: b"+OK\r\n" + _stuffed(_header(self._mail(which.split()[0]))),
            "DELE": self._dele,
            "NOOP": lambda _: b"+OK\r\n",
            "QUIT": self._quit,
        }
        return answers[verb](argument)

    def _numbered(self) -> Iterable[tuple[int, tuple[str, bytes]]]:
        return enumerate(self._mails, 1)

    def _mail(self, number: bytes) -> bytes:
        return self._mails[int(number) - 1][1]

    def _capa(self, _argument: bytes) -> bytes:
        names = ["TOP", "UIDL", "USER", f"SASL {' '.join(_MECHANISMS)}"]
        names += ["PIPELINING"] * self._server.pipelining + ["STLS"] * (not self._private)
        return _rows(name.encode() for name in names)

    def _auth(self, argument: bytes) -> bytes:
        if argument.decode() not in (*_MECHANISMS, "LOGIN"):
            return b"-ERR what?\r\n"
        self._mechanism = argument
        self._answers: list[bytes] = []
        return b"+ %b\r\n" % (b64encode(CHALLENGE) if argument == b"CRAM-MD5" else b"")

    def _response(self, line: bytes) -> bytes:
        if self._mechanism == b"PLAIN":
            return _verdict(line == _PLAIN)
        if self._mechanism == b"LOGIN":
            self._answers.append(line)
            return b"+ \r\n" if len(self._answers) == 1 else _verdict(self._answers == _LOGIN)
        return _verdict(line != b"*" and b64decode(line) == b"%b %b" % (USER.encode(), _CRAM))

    def _dele(self, number: bytes) -> bytes:
        self._doomed.add(int(number))
        return b"+OK\r\n"

    def _quit(self, _argument: bytes) -> bytes:
        for number, (uid, _) in self._numbered():
            if number in self._doomed:
                self._server.mails.pop(uid, None)
        return b"+OK bye\r\n"


def _segments(octets: bytes, say: Say) -> Iterator[bytes]:
    if say.endless:
        while True:
            yield octets
    size = say.size or len(octets) or 1
    for start in range(0, len(octets), size):
        yield octets[start : start + size]


def _tells(line: bytes) -> bool:
    return any(form in line for form in PASSWORDS)


def _verdict(right: bool) -> bytes:
    return b"+OK\r\n" if right else b"-ERR [AUTH] no\r\n"


def _rows(rows: Iterable[bytes]) -> bytes:
    return b"+OK\r\n" + b"".join(b"%b\r\n" % row for row in rows) + b".\r\n"


def _header(mail: bytes) -> bytes:
    return b"".join(mail.partition(b"\r\n\r\n")[:2])


def _stuffed(mail: bytes) -> bytes:
    whole = (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:]
    return whole + b".\r\n"
