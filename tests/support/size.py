"""How much the long tests do."""

from __future__ import annotations

import os
from typing import Final

#: TEST_SIZE=nightly, as `make nightly` sets it: more than every change can afford.
NIGHTLY: Final = os.environ.get("TEST_SIZE") == "nightly"
