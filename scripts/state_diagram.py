"""Print the state diagram of a protocol machine in Mermaid, from the tables in pop3/states.py or imap/states.py.

docs/architecture.md contains the outputs between comments; tests/test_state_diagram.py compares them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from tui_popretr import imap, pop3
from tui_popretr.imap import states as imap_states
from tui_popretr.pop3 import states as pop3_states


@dataclass(frozen=True, slots=True)
class Protocol:
    """The tables of a machine, and the words of a diagram."""

    states: type[Enum]
    sending: Mapping[Enum, Mapping[type, Enum]]
    answered: Mapping[Enum, Mapping[tuple[type, bool], Enum]]
    other: Mapping[Enum, Mapping[Enum, Enum]]
    #: success, failure
    answers: tuple[str, str]
    #: the states in which the session may end
    last: tuple[str, ...]
    names: Mapping[type, str]


PROTOCOLS = {
    "pop3": Protocol(
        pop3.State,
        pop3_states.SENDING,  # type: ignore[arg-type]
        pop3_states.ANSWERED,  # type: ignore[arg-type]
        pop3_states.OTHER,  # type: ignore[arg-type]
        ("+OK", "-ERR"),
        ("UPDATE", "CLOSED"),
        {pop3.SaslResponse: "response", pop3.SaslCancel: "cancel"},
    ),
    "imap": Protocol(
        imap.State,
        imap_states.SENDING,  # type: ignore[arg-type]
        imap_states.ANSWERED,  # type: ignore[arg-type]
        imap_states.OTHER,  # type: ignore[arg-type]
        ("OK", "NO, BAD"),
        ("DISMISSED", "CLOSED"),
        {
            imap.SaslResponse: "response",
            imap.SaslCancel: "cancel",
            imap.StatusOf: "STATUS",
            imap.ListFolders: "LIST",
            imap.SearchHeader: "SEARCH",
            imap.FetchData: "FETCH",
            imap.AddLabels: "STORE",
        },
    ),
}


def diagram(name: str) -> str:
    """Return the diagram, with one line for each pair of states."""
    protocol = PROTOCOLS[name]
    labels: dict[tuple[Enum, Enum], list[str]] = {}
    for start, end, label in _transitions(protocol):
        labels.setdefault((start, end), []).append(label)
    lines = ["stateDiagram-v2", "    [*] --> GREETING"]
    lines += [f"    {start.name} --> {end.name}: {', '.join(texts)}" for (start, end), texts in labels.items()]
    lines += [f"    {state} --> [*]" for state in protocol.last]
    return "\n".join(lines)


def _transitions(protocol: Protocol) -> Iterator[tuple[Enum, Enum, str]]:
    good, bad = protocol.answers
    for state in protocol.states:
        for cause, end in protocol.other.get(state, {}).items():
            yield state, end, str(cause.value)
        for command, end in protocol.sending[state].items():
            yield state, end, protocol.names.get(command, command.__name__.upper())
        for ok, end in dict.fromkeys((ok, end) for (_, ok), end in protocol.answered[state].items()):
            yield state, end, good if ok else bad


if __name__ == "__main__":
    print(diagram(sys.argv[1]))
