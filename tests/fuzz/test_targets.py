"""Every target with inputs that Hypothesis makes up, with its seeds, and with all that has ever been found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import FINDINGS, TARGETS, Target

_BY_NAME = pytest.mark.parametrize("name", TARGETS)


@_BY_NAME
def test_the_seeds(name: str) -> None:
    target = TARGETS[name]
    assert target.seeds
    for seed in target.seeds:
        for end in {0, 1, len(seed) // 2, len(seed)}:
            target.run(seed[:end])


@pytest.mark.parametrize(
    "path", [path for target in TARGETS.values() for path in target.findings()], ids=lambda path: path.name[:40]
)
def test_what_was_found_before(path: Path) -> None:
    TARGETS[path.parent.name].run(path.read_bytes())


def test_every_finding_belongs_to_a_target() -> None:
    kept = {path for path in FINDINGS.rglob("*") if path.is_file() and path.name != "README.md"}
    assert kept == {path for target in TARGETS.values() for path in target.findings()}


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Octets of any kind, words in a row, and seeds with some places changed."""
    word = st.sampled_from(target.words) | st.binary(max_size=4)
    words = st.lists(word, max_size=40).map(b"".join)
    change = st.tuples(st.floats(0, 1), st.integers(0, 12), word)

    def changed(seed: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
        for where, length, piece in changes:
            at = int(where * len(seed))
            seed = seed[:at] + piece + seed[at + length :]
        return seed

    mutated = st.builds(changed, st.sampled_from(target.seeds), st.lists(change, min_size=1, max_size=6))
    return st.binary(max_size=300) | st.builds(bytes.__add__, words, st.binary(max_size=40)) | mutated


@_BY_NAME
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(data=st.data())
def test_any_input(name: str, data: st.DataObject) -> None:
    TARGETS[name].run(data.draw(inputs(TARGETS[name])))
