"""The container's files agree with each other, and an image is built from what the package needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages.building import PROJECT, build

COMPOSE = PROJECT / "config-samples" / "container" / "compose.yaml"
CONTAINERFILE = (PROJECT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")


def instruction(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.*)$", CONTAINERFILE, flags=re.MULTILINE)


def test_the_files_that_are_sent_to_the_build_are_those_of_the_wheel(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = re.findall(r"^!(.*)$", (PROJECT / ".dockerignore").read_text(encoding="utf-8"), flags=re.MULTILINE)
    context = tmp_path_factory.mktemp("context")
    for name in kept:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, context / name)
    again, _ = build(tmp_path_factory.mktemp("again"), project=context)
    assert again.read_bytes() == wheel.read_bytes()


def test_it_ends_as_a_user_without_rights_and_checks_its_health() -> None:
    assert instruction("USER")[-1] == "1000:1000"
    assert instruction("VOLUME") == ['["/config", "/data"]']
    (check,) = instruction("HEALTHCHECK")
    assert check.endswith('CMD ["tui-popretr", "status", "--exit-code"]')


def test_the_compose_file_is_valid() -> None:
    checked = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_compose_file_mounts_the_volumes_and_the_secret_of_its_configuration() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for line in ('user: "1000:1000"', "./config:/config:ro", "./data:/data", "init: true"):
        assert line in text
    (name,) = re.findall(r"secrets: \[(.*)\]", text)
    assert f"/run/secrets/{name}" in COMPOSE.with_name("tui-popretr.xml").read_text(encoding="utf-8")
