"""What is in wheel and sdist, and that a build repeats octet for octet."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from email.parser import BytesParser
from email.policy import EmailPolicy
from pathlib import Path, PurePosixPath

import pytest

from tests.packages.building import PROJECT, build
from tui_popretr import __version__

_SHARED = f"tui_popretr-{__version__}.data/data/share/"


@pytest.fixture(scope="module")
def files() -> list[str]:
    """The project's files, as git knows them or, in an unpacked sdist, as they lie there."""
    if (PROJECT / ".git").exists() and shutil.which("git"):
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-per-directory=.gitignore", "-z"]
        done = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True)
        return sorted(name for name in done.stdout.split("\0") if name and (PROJECT / name).is_file())
    with_caches = (path for path in PROJECT.rglob("*") if path.is_file())
    tools = {".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", ".fuzz"}
    made = {*tools, "__pycache__", "build", "dist", "PKG-INFO"}
    names = (path.relative_to(PROJECT) for path in with_caches)
    return sorted(str(name) for name in names if not made & {*name.parts})


def shared(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name.removeprefix(_SHARED) for name in archive.namelist() if name.startswith(_SHARED)}


def test_the_sdist_has_every_file_of_the_project(sdist: Path, files: list[str]) -> None:
    with tarfile.open(sdist) as archive:
        names = [PurePosixPath(member.name) for member in archive if member.isfile()]
    found = sorted(str(name.relative_to(name.parts[0])) for name in names)
    assert [name for name in found if name != "PKG-INFO"] == files


def test_the_wheel_has_the_program_and_nothing_else(wheel: Path, files: list[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    information = f"tui_popretr-{__version__}.dist-info/"
    code = [name for name in names if not name.startswith((_SHARED, information))]
    assert sorted(code) == [name for name in files if name.startswith("tui_popretr/")]


def test_the_wheel_has_pages_completions_samples_and_licence(wheel: Path, files: list[str]) -> None:
    assert shared(wheel) == {
        "man/man1/tui-popretr.1",
        "man/man5/tui-popretr.xml.5",
        "bash-completion/completions/tui-popretr",
        "zsh/site-functions/_tui-popretr",
        "fish/vendor_completions.d/tui-popretr.fish",
        "doc/tui-popretr/LICENSE",
        *(f"doc/tui-popretr/{name}" for name in files if name.startswith("config-samples/")),
    }


def test_a_build_elsewhere_under_other_conditions_has_the_same_octets(
    built: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
    files: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    copy = tmp_path_factory.mktemp("copy")  # not tmp_path, which is searched for passwords
    old = os.umask(0o077)
    try:
        for name in reversed(files):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, copy / name)
            (copy / name).chmod(0o700 if os.access(PROJECT / name, os.X_OK) else 0o600)
        again = build(tmp_path_factory.mktemp("again"), project=copy)
    finally:
        os.umask(old)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in built]


def test_the_description_has_absolute_links_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        octets = archive.read(f"tui_popretr-{__version__}.dist-info/METADATA")
    description = BytesParser(policy=EmailPolicy(utf8=True)).parsebytes(octets).get_payload()
    assert isinstance(description, str)
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    links = [part.split(")")[0] for part in description.split("](")[1:]]
    assert len(links) == len(readme.split("](")[1:])
    assert [link for link in links if not link.startswith("https://")] == []
    pictures = [part.split("](")[1].split(")")[0] for part in description.split("![")[1:]]
    raw = f"https://raw.githubusercontent.com/tui-popretr/tui-popretr/v{__version__}/"
    assert pictures
    assert [picture for picture in pictures if not picture.startswith(raw)] == []
