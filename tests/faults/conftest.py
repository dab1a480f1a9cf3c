"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.network import own_network
from tests.faults.scene import Scene, accounts
from tests.program import needs
from tests.program.namespace import Namespace, new_namespace
from tests.program.relay import Gate, gate_to
from tests.support.dovecot import HOST
from tests.support.popserver_thread import running_server


@pytest.fixture
def network() -> Iterator[None]:
    """Put the test and all that it starts into a network of their own. It must be the test's first fixture."""
    needs.need(needs.network)
    with own_network():
        yield


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Two clients, and a server with their accounts."""
    with running_server(accounts()) as server:
        yield Scene(tmp_path, server)


@pytest.fixture
def gate(scene: Scene) -> Iterator[Gate]:
    """A gate in front of the scene's server."""
    with gate_to(HOST, scene.server.port) as made:
        yield made


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A mount namespace."""
    needs.need(needs.mounting)
    with new_namespace() as made:
        yield made
