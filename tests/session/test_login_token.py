"""Logging in by an access token that the program gets itself."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.oauth.world import World
from tests.session.attempts import OAUTHBEARER, XOAUTH2, Attempt, capa
from tests.support.oauth_provider import Fault
from tests.support.passwords import discreet
from tui_popretr.errors import ExitCode, GrantEnded, LoginRejected, NotLoggedIn, PopretrError
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.session.login import TokenRenewedError
from tui_popretr.session.services import ConnectionServices

BOTH: Final = (OAUTHBEARER, XOAUTH2)
REFUSAL: Final = b64encode(b'{"status":"401"}').decode()
#: Stands for the next token in a dialogue.
NEXT: Final = "the next token"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(str(tmp_path / "oauth"))


def response(tokens: Tokens, *, bearer: bool = False) -> str:
    name = "n,a=alice,\1host=pop.example.test\1port=110" if bearer else "user=alice"
    return b64encode(f"{name}\1auth=Bearer {tokens.access.reveal()}\1\1".encode()).decode()


class TokenAttempt(Attempt):
    """A login of a world's user."""

    def __init__(self, world: World, *methods: object) -> None:
        super().__init__(*(methods or BOTH), oauth=world.oauth, password=None)  # type: ignore[arg-type]
        self.world = world
        self.options.services = ConnectionServices(tokens=world.access)

    def run(self, *dialogue: tuple[str, str], hang_up: bool = False) -> str:
        self.problem = PopretrError("none")
        found: str = self.world.run(lambda: self.against(*dialogue, hang_up=hang_up))
        assert self.rest == []
        return found

    def failure(self, *dialogue: tuple[str, str], hang_up: bool = False) -> PopretrError:
        with pytest.raises(PopretrError) as caught:
            self.run(*dialogue, hang_up=hang_up)
        discreet(str(caught.value), caught.value.advice)
        return caught.value


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        ("PLAIN XOAUTH2", "XOAUTH2"),
        ("XOAUTH2 OAUTHBEARER", "OAUTHBEARER"),
        ("OAUTHBEARER PLAIN", "OAUTHBEARER"),
    ],
)
def test_the_mechanism_that_the_server_offers(world: World, offered: str, used: str) -> None:
    tokens = world.log_in()
    sent = response(tokens, bearer=used == "OAUTHBEARER")
    attempt = TokenAttempt(world)
    assert attempt.run(capa(offered), (f"AUTH {used}", "+ "), (sent, "+OK")) == f"SASL_{used}"
    assert attempt.options.token == tokens


def test_a_mechanism_that_is_named(world: World) -> None:
    tokens = world.log_in()
    dialogue = (capa("OAUTHBEARER XOAUTH2"), ("AUTH XOAUTH2", "+ "), (response(tokens), "+OK"))
    assert TokenAttempt(world, XOAUTH2).run(*dialogue) == "SASL_XOAUTH2"


def test_a_server_that_lists_none_is_tried(world: World) -> None:
    tokens = world.log_in()
    dialogue = (("AUTH OAUTHBEARER", "-ERR unknown"), ("AUTH XOAUTH2", "+ "), (response(tokens), "+OK"))
    assert TokenAttempt(world).run(*dialogue) == "SASL_XOAUTH2"


def test_a_server_that_has_none(world: World) -> None:
    world.log_in()
    world.pass_time(61)
    problem = TokenAttempt(world).failure(
        capa("PLAIN"), ("AUTH OAUTHBEARER", "-ERR unknown"), ("AUTH XOAUTH2", "-ERR unknown")
    )
    assert isinstance(problem, LoginRejected)
    assert problem.advice == "the server has no login by access token; use a <password>, or ask its operator"
    assert world.renewals == 0


def test_no_login_yet(world: World) -> None:
    assert isinstance(TokenAttempt(world).failure(), NotLoggedIn)


def refused(world: World, tokens: Tokens) -> list[tuple[str, str]]:
    return [
        ("AUTH XOAUTH2", "+ "),
        (response(tokens), f"+ {REFUSAL}"),
        ("", "-ERR [AUTH] failed"),
    ]


class Renewing:
    """A dialogue's line with the token that does not exist yet."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __eq__(self, other: object) -> bool:
        stored = self._world.stored()
        assert stored
        return other == response(stored)

    def __hash__(self) -> int:
        return 0


def renewed(world: World) -> str:
    return Renewing(world)  # type: ignore[return-value]


def test_a_refused_token_is_renewed_and_tried_again(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    attempt = TokenAttempt(world, XOAUTH2)
    assert attempt.run(*refused(world, first), ("AUTH XOAUTH2", "+ "), (renewed(world), "+OK")) == "SASL_XOAUTH2"
    assert attempt.options.token == world.stored() != first
    assert world.renewals == 1


def test_no_weaker_method_after_a_refused_token(world: World) -> None:
    first = world.log_in()
    problem = TokenAttempt(world, XOAUTH2, OAUTHBEARER).failure(capa("XOAUTH2 OAUTHBEARER"), *refused(world, first))
    assert isinstance(problem, LoginRejected)


def test_a_new_token_that_is_refused(world: World) -> None:
    first = world.log_in()
    problem = TokenAttempt(world, XOAUTH2).failure(*refused(world, first))
    assert isinstance(problem, LoginRejected)
    assert problem.advice.startswith("the access token is new, so another setting is wrong: is <username> the mailbox")
    assert problem.advice.endswith("To log in again: tui-popretr login /etc/c.xml --client isp")
    assert world.renewals == 0


def test_a_renewed_token_that_is_refused(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    problem = TokenAttempt(world, XOAUTH2).failure(
        *refused(world, first), ("AUTH XOAUTH2", "+ "), (renewed(world), f"+ {REFUSAL}"), ("", "-ERR [AUTH] no")
    )
    assert isinstance(problem, LoginRejected)
    assert problem.advice.startswith("the access token is new")
    assert world.renewals == 1


def test_a_refusal_that_says_what_is_wrong(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    last = ("", "-ERR [AUTH] POP access is disabled for this user")
    problem = TokenAttempt(world, XOAUTH2).failure(
        *refused(world, first), ("AUTH XOAUTH2", "+ "), (renewed(world), "+ "), last
    )
    assert "enable POP access" in problem.advice or "another setting" in problem.advice


def test_a_server_that_hangs_up_after_a_refusal(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    with pytest.raises(ExceptionGroup) as caught:  # of the nursery of the attempt
        TokenAttempt(world, XOAUTH2).run(*refused(world, first), hang_up=True)
    assert caught.group_contains(TokenRenewedError)
    assert world.stored() != first


def test_the_end_of_a_grant(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    world.provider.revoke()
    problem = TokenAttempt(world, XOAUTH2).failure(*refused(world, first))
    assert isinstance(problem, GrantEnded)
    assert problem.exit_code is ExitCode.LOGIN


def test_a_provider_that_fails_is_no_bad_login(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    world.provider.faults["/token"] = Fault.ERROR_500
    problem = TokenAttempt(world, XOAUTH2).failure(*refused(world, first))
    assert problem.exit_code is ExitCode.TEMPORARY


@pytest.mark.parametrize("reply", ["-ERR [IN-USE] locked", "-ERR [SYS/TEMP] later"])
def test_a_refusal_that_is_not_about_the_token(world: World, reply: str) -> None:
    first = world.log_in()
    world.pass_time(61)
    problem = TokenAttempt(world, XOAUTH2).failure(("AUTH XOAUTH2", "+ "), (response(first), reply))
    assert problem.exit_code is ExitCode.TEMPORARY
    assert world.renewals == 0


def test_equal_settings_are_equal(world: World) -> None:
    assert replace(world.oauth) == world.oauth
