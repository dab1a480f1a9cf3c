"""Logging in: each configured method in its order, once, until one succeeds (SPEC 2, 3, 10)."""

from __future__ import annotations

from tui_popretr.config.model import AuthType, Server
from tui_popretr.engine.passwords import obtain
from tui_popretr.engine.wire import Wire
from tui_popretr.errors import (
    ConnectionCut,
    LoginDelayed,
    LoginRejected,
    MailboxInUse,
    NoUsableMechanism,
    PopretrError,
    ProtocolViolation,
    ServerPermanentFailure,
    ServerTemporaryFailure,
)
from tui_popretr.pop3 import Apop, Continuation, Pass, Reply, User, apop_digest, begin
from tui_popretr.secret import Secret
from tui_popretr.text import visible

# RESP-CODES that are not about the credentials (RFC 2449 §8.1, RFC 3206 §4): trying further would burn attempts.
_ENDS: dict[str, type[PopretrError]] = {
    "IN-USE": MailboxInUse,
    "LOGIN-DELAY": LoginDelayed,
    "SYS/TEMP": ServerTemporaryFailure,
    "SYS/PERM": ServerPermanentFailure,
}


async def log_in(wire: Wire, server: Server, stamp: bytes | None) -> str:
    """Log in and return the name of the method that succeeded.

    `stamp` is the greeting's APOP stamp. Raises LoginRejected, NoUsableMechanism, PasswordUnavailable, and the errors
    of the RESP-CODES.
    """
    # A certificate alone logs in by EXTERNAL: no reason to run a password command for it.
    needs_password = any(each is not AuthType.SASL_EXTERNAL for each in server.auth_types)
    password = await obtain(server.password) if needs_password else Secret("")
    refusals: list[str] = []
    passed_over: list[str] = []
    for method in server.auth_types:
        if method is AuthType.APOP and stamp is None:
            passed_over.append("APOP (the greeting has no stamp for it)")
            continue
        try:
            problem = await _attempt(wire, method, server, password, stamp)
        except (ConnectionCut, ProtocolViolation) as trouble:
            if not refusals:
                raise
            refusals.append(f"{method.value}: {trouble}")  # some servers hang up after a rejected login
            break
        if problem is None:
            return method.value
        refusals.append(f"{method.value}: {problem}")
    if refusals:
        raise LoginRejected("the server rejected the login (" + "; ".join(refusals) + ")")
    raise NoUsableMechanism("no usable login method: " + "; ".join(passed_over))


async def _attempt(wire: Wire, method: AuthType, server: Server, password: Secret, stamp: bytes | None) -> str | None:
    """Try one method; return None after a success, else the server's words."""
    username = server.username or ""
    if method is AuthType.USERPASS:
        reply = _judged(await wire.call(User(username)))
        if reply.ok:
            reply = _judged(await wire.call(Pass(password)))
    elif method is AuthType.APOP:
        assert stamp is not None
        reply = _judged(await wire.call(Apop(username, apop_digest(stamp, password))))
    else:
        mechanism = method.value.removeprefix("SASL_").replace("_", "-")
        exchange = begin(mechanism, username, password, initial_response=server.initial_response)
        answer = await wire.call(exchange.start())
        while isinstance(answer, Continuation):
            answer = await wire.call(exchange.answer(answer))
        reply = _judged(answer)
        if not reply.ok and exchange.problem:
            return exchange.problem
    return None if reply.ok else visible(reply.text, 200) or "refused without a reason"


def turned_away(text: bytes, code: str | None) -> PopretrError | None:
    """Return the error of an -ERR whose RESP-CODE is not about the credentials, None for any other."""
    kind = _ENDS.get(code or "")
    return None if kind is None else kind(f"the server turns us away: {visible(text, 200)}")


def _judged(answer: object) -> Reply:
    assert isinstance(answer, Reply)
    if not answer.ok and (problem := turned_away(answer.text, answer.code)) is not None:
        raise problem
    return answer
