"""The targets by name: what is fuzzed, what to begin with, and the words that get a fuzzer further."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from tests.fuzz import (
    autoconfigs,
    configurations,
    controls,
    dialogues,
    headers,
    logins,
    memories,
    records,
    replies,
    responses,
    tokens,
)

FINDINGS: Final = Path(__file__).parent / "findings"


@dataclass(frozen=True, slots=True)
class Target:
    """`run` takes one input; any exception out of it is a finding."""

    name: str
    run: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[bytes]

    def findings(self) -> list[Path]:
        """The inputs that once were findings."""
        return sorted(path for path in (FINDINGS / self.name).glob("*") if path.is_file())


def _target(name: str, module: ModuleType) -> Target:
    return Target(name, module.one_input, module.SEEDS, module.WORDS)


TARGETS: Final = {
    name: _target(name, module)
    for name, module in {
        "dialogues": dialogues,
        "logins": logins,
        "configurations": configurations,
        "records": records,
        "headers": headers,
        "replies": replies,
        "responses": responses,
        "memories": memories,
        "controls": controls,
        "autoconfigs": autoconfigs,
        "tokens": tokens,
    }.items()
}
