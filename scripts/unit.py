"""Writes config-samples/systemd/tui-popretr.service: what `service --system` prints for an installation in /opt.

Run as a module from the project's folder: python -m scripts.unit
"""

from __future__ import annotations

import sys
from pathlib import Path

from tui_popretr.cli.service.unit import Service, service_text

SAMPLE = Path(__file__).parents[1] / "config-samples" / "systemd" / "tui-popretr.service"
SERVICE = Service(
    program=("/opt/tui-popretr/bin/tui-popretr",),
    arguments=("/etc/tui-popretr/tui-popretr.xml",),
    folders=("/var/lib/tui-popretr",),
    passwords=("/etc/tui-popretr/isp.password",),
    system=True,
)


def text() -> str:
    """Return the sample."""
    return (
        f"# Retrieves mail over POP3, without a dashboard. How to install it: docs/systemd.md\n{service_text(SERVICE)}"
    )


if __name__ == "__main__":
    SAMPLE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"written: {SAMPLE}\n")
