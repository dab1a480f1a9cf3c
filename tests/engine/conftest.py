"""Certificates for the engine's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from tests.engine.certificates import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that the tests trust, and another that they do not."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    return Certificates(folder, trustme.CA(organization_name="trusted"), trustme.CA(organization_name="stranger"))
