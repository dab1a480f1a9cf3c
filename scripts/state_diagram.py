"""Print the state diagram of the POP3 machine in Mermaid, from the tables in pop3/states.py.

docs/architecture.md contains the output between two comments; tests/pop3/test_state_diagram.py compares them.
"""

from __future__ import annotations

from collections.abc import Iterator

from tui_popretr.pop3 import Command, SaslCancel, SaslResponse, State
from tui_popretr.pop3.states import ANSWERED, OTHER, SENDING

_NAMES: dict[type[Command], str] = {SaslResponse: "response", SaslCancel: "cancel"}


def diagram() -> str:
    """Return the diagram, with one line for each pair of states."""
    labels: dict[tuple[State, State], list[str]] = {}
    for start, end, label in _transitions():
        labels.setdefault((start, end), []).append(label)
    lines = ["stateDiagram-v2", "    [*] --> GREETING"]
    lines += [f"    {start.name} --> {end.name}: {', '.join(texts)}" for (start, end), texts in labels.items()]
    lines += ["    UPDATE --> [*]", "    CLOSED --> [*]"]
    return "\n".join(lines)


def _transitions() -> Iterator[tuple[State, State, str]]:
    for state in State:
        for cause, end in OTHER.get(state, {}).items():
            yield state, end, cause.value
        for command, end in SENDING[state].items():
            yield state, end, _NAMES.get(command, command.__name__.upper())
        for ok, end in dict.fromkeys((ok, end) for (_, ok), end in ANSWERED[state].items()):
            yield state, end, "+OK" if ok else "-ERR"


if __name__ == "__main__":
    print(diagram())
