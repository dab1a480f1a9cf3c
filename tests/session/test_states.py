"""The states of a session: only the transitions in the table of its module are possible."""

from __future__ import annotations

import re
from itertools import product

import pytest

from tui_popretr.session import session
from tui_popretr.session.session import State

#: The columns "state" and "next" of the table.
TABLE = set(re.findall(r"^\| (\w+) +\|[^|]*\| (\w+) ", session.__doc__ or "", re.MULTILINE)) - {("state", "next")}


@pytest.mark.parametrize(("before", "state"), [*product(State, (State.PREPARING, State.RETRIEVING, State.QUITTING))])
def test_transitions_are_those_of_the_table(before: State, state: State) -> None:
    if before in (State.STOPPING, State.ABANDONED):
        assert before.then(state) is before
    elif (before.name, state.name) in TABLE or before is state is State.PREPARING:
        assert before.then(state) is state
    else:
        with pytest.raises(AssertionError):
            before.then(state)
