"""Builds the packages of the last commit into dist/, and tries them: `make dist`.

Wheel and sdist are built twice, in different folders and under different conditions, and must be the same octet for
octet. The wheel is then installed with pip, pipx and uv, and the sdist with pip, each for a user with an empty home
folder, and the demo runs there. The unpacked sdist passes `make check`, and with --suite `make test`. The SBOM
(CycloneDX) lists the versions that pip chose for the wheel.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from tui_popretr import __version__
from tui_popretr.cli.parser import PROGRAM

PROJECT = Path(__file__).parents[1]
DIST = PROJECT / "dist"
#: What an installer links or installs below the user's share/, besides the program.
SHARED = (
    "man/man1/tui-popretr.1",
    "man/man5/tui-popretr.xml.5",
    "bash-completion/completions/tui-popretr",
    "fish/vendor_completions.d/tui-popretr.fish",
    "zsh/site-functions/_tui-popretr",
)
#: The two builds of a package have to be independent of these.
_CONDITIONS: tuple[tuple[int, Mapping[str, str]], ...] = (
    (0o022, {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}),
    (0o077, {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "2"}),
)
#: The interpreter that this one was made from: a virtual environment made from one would lead back to it.
_PYTHON = str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))


class DistError(Exception):
    """A package is not as it has to be. The text says how."""


def say(text: str) -> None:
    print(text, flush=True)


def run(
    *command: str | Path, cwd: Path | None = None, environ: Mapping[str, str] | None = None, umask: int = -1
) -> str:
    """Run a command and return its output. Raise DistError, with all its output, if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd or PROJECT,
        env=environ,
        umask=umask,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DistError(f"{done.stdout}\nThis command failed: {' '.join(str(part) for part in command)}")
    return done.stdout


def tool(name: str) -> Path:
    """Return the path of a command of this virtual environment."""
    return Path(sys.prefix, "bin", name)


def differences(first: Path, second: Path) -> list[str]:
    """Return the names of the files that are not in both folders with the same octets."""
    names = sorted({path.name for folder in (first, second) for path in folder.iterdir()})
    _, different, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    return sorted([*different, *missing])


def export(folder: Path) -> None:
    """Put the files of the last commit into a new folder."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    run("git", "archive", "--output", archive, "HEAD")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")


def build_twice(work: Path) -> tuple[Path, Path]:
    """Build in two ways, put the result into dist/ and return the paths of wheel and sdist."""
    epoch = run("git", "log", "-1", "--format=%ct").strip()
    if run("git", "status", "--porcelain"):
        say("There are changes without a commit. They are not in the packages.")
    outputs = []
    for number, (umask, conditions) in enumerate(_CONDITIONS, start=1):
        say(f"Building wheel and sdist ({number} of {len(_CONDITIONS)}) ...")
        source, output = work / f"source-{number}", work / f"output-{number}"
        export(source)
        environ = {**os.environ, **conditions, "SOURCE_DATE_EPOCH": epoch}
        run(sys.executable, "-m", "build", "--outdir", output, cwd=source, environ=environ, umask=umask)
        outputs.append(output)
    if different := differences(*outputs):
        raise DistError(f"The two builds differ: {', '.join(different)}")
    say("Both builds are the same, octet for octet.")
    shutil.rmtree(DIST, ignore_errors=True)
    shutil.copytree(outputs[0], DIST)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    for package in (wheel, sdist):
        package.chmod(0o644)
    return wheel, sdist


def install_with_pip(package: Path, home: Path, environ: Mapping[str, str]) -> Path:
    run(_PYTHON, "-m", "venv", home / "venv", environ=environ)
    run(home / "venv/bin/pip", "install", package, environ=environ)
    return home / "venv"


def install_with_pipx(package: Path, home: Path, environ: Mapping[str, str]) -> Path:
    run(tool("pipx"), "install", "--python", _PYTHON, package, environ=environ)
    return home / ".local"


def install_with_uv(package: Path, home: Path, environ: Mapping[str, str]) -> Path:
    run(tool("uv"), "tool", "install", "--python", _PYTHON, package, environ=environ)
    (share,) = home.glob(".local/share/uv/tools/tui-popretr/share")
    if missing := absent(share):
        raise DistError(f"uv has not installed: {', '.join(missing)}")
    return home / ".local"


def absent(share: Path) -> list[str]:
    """Return what is missing of SHARED."""
    return [name for name in SHARED if not (share / name).is_file()]


def try_installation(
    name: str, package: Path, work: Path, install: Callable[[Path, Path, Mapping[str, str]], Path], *, shares: bool
) -> Path:
    """Install a package for a user with an empty home folder and run the demo. Return what `install` returned."""
    say(f"Installing the {'wheel' if package.suffix == '.whl' else 'sdist'} with {name}, and running the demo ...")
    home = work / f"home-{name}-{package.suffix[1:]}"
    home.mkdir()
    left_out = ("XDG_", "PIPX_", "UV_TOOL", "PYTHON", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    environ = {**kept, "HOME": str(home), "PATH": f"{home}/.local/bin:/usr/local/bin:/usr/bin:/bin"}
    prefix = install(package, home, environ)
    output = run(prefix / "bin" / PROGRAM, "demo", "--headless", cwd=home, environ=environ)
    if "120 messages" not in output:
        raise DistError(f"The demo has retrieved nothing:\n{output}")
    if shares and (missing := absent(prefix / "share")):
        raise DistError(f"{name} has not installed: {', '.join(missing)}")
    return prefix


def write_sbom(wheel: Path, work: Path) -> Path:
    """Write the list of what the wheel and its dependencies consist of, from an environment with nothing else."""
    say("Writing the SBOM ...")
    run(_PYTHON, "-m", "venv", "--without-pip", work / "only")
    run(sys.executable, "-m", "pip", "--python", work / "only/bin/python", "install", wheel)
    sbom = wheel.with_name(f"{wheel.name.partition('-py3')[0]}.cdx.json")
    options = ("--output-reproducible", "--validate", "--output-format", "JSON", "--output-file")
    run(
        *(tool("cyclonedx-py"), "environment", "--pyproject", PROJECT / "pyproject.toml"),
        *(*options, sbom, work / "only/bin/python"),
    )
    document = json.loads(sbom.read_text(encoding="utf-8"))
    document["metadata"]["component"]["version"] = __version__  # it is not in pyproject.toml
    sbom.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    listed = {component["name"].lower().replace("_", "-") for component in document["components"]}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {Requirement(each).name for each in project["dependencies"]}
    if not required <= listed:
        raise DistError(f"The SBOM lacks: {', '.join(sorted(required - listed))}")
    return sbom


def try_sdist(sdist: Path, work: Path, targets: Iterable[str]) -> None:
    """Run `make` in the unpacked sdist, where no git is."""
    with tarfile.open(sdist) as archive:
        archive.extractall(work / "unpacked", filter="data")
    (folder,) = (work / "unpacked").iterdir()
    # The tests of this `make` are not those of the `make` that runs this program.
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "VIRTUAL_ENV"))}
    for target in targets:
        say(f"Running `make {target}` in the unpacked sdist ...")
        say(run("make", target, f"PYTHON={_PYTHON}", cwd=folder, environ=environ).rstrip().rpartition("\n")[2])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.dist", description="build the packages and try them")
    parser.add_argument("--suite", action="store_true", help="also run `make test` in the unpacked sdist")
    arguments = parser.parse_args()
    # Not below the project: git and hatchling would look for the project's files above.
    with tempfile.TemporaryDirectory(prefix="tui-popretr-dist-") as name:
        work = Path(name)
        try:
            wheel, sdist = build_twice(work)
            # An error where the description cannot be rendered; it would be a warning.
            run(sys.executable, "-W", "error::UserWarning", "-m", "twine", "check", "--strict", wheel, sdist)
            say("twine finds nothing wrong.")
            try_installation("pip", wheel, work, install_with_pip, shares=True)
            try_installation("pip", sdist, work, install_with_pip, shares=True)
            try_installation("pipx", wheel, work, install_with_pipx, shares=True)
            try_installation("uv", wheel, work, install_with_uv, shares=False)
            sbom = write_sbom(wheel, work)
            try_sdist(sdist, work, ("check", "test") if arguments.suite else ("check",))
        except DistError as error:
            sys.exit(str(error))
    for path in (wheel, sdist, sbom):
        say(f"{path.relative_to(PROJECT)}: {path.stat().st_size:,} octets")


if __name__ == "__main__":
    main()
