"""The project's files agree with each other: versions, links, commands, and nothing of one machine's own."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import tui_popretr

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
#: In these, a name in CamelCase is a class of ours.
ABOUT_THE_CODE = sorted(
    [
        *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")),
        *(ROOT / "docs" / name for name in ("architecture.md", "durability.md", "performance.md")),
        *ROOT.glob("docs/decisions/*.md"),
    ]
)
SCRIPTS = sorted(
    [ROOT / ".ci" / "run", *(path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)]
)

#: Whoever installs the project decides where packages come from. In pieces, so that this file does not contain them.
PACKAGE_REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("anaconda", "org"),
    )
)


def project_files() -> Iterator[Path]:
    """Every file of the project, without what tools have made."""
    kept_hidden = {".ci", ".github"}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in ("__pycache__", "build", "dist") and (not name.startswith(".") or name in kept_hidden)
        ]
        yield from (Path(folder, name) for name in files if name != ".git")


def text_without_code(document: Path) -> str:
    """The document without fenced and inline code, in which brackets are no links."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as forges make them."""
    headings = re.findall(r"^#+ +(.*)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert phony
    return set(phony[1].split())


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_installed_version_is_the_code_s() -> None:
    assert importlib.metadata.version("tui-popretr") == tui_popretr.__version__


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert versions[0] == tui_popretr.__version__


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "tui_popretr" / "py.typed").is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_without_code(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def inline_code(document: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


@cache
def paths() -> frozenset[str]:
    """Every file and folder of the project, from each of its folders on: a/b.py and b.py, a/ and b/."""
    found = set()
    for path in project_files():
        parts = path.relative_to(ROOT).parts
        for begin in range(len(parts)):
            found.add("/".join(parts[begin:]))
            found.update("/".join(parts[begin:end]) + "/" for end in range(begin + 1, len(parts)))
    return frozenset(found)


@cache
def classes() -> frozenset[str]:
    sources = (path.read_text(encoding="utf-8") for path in project_files() if path.suffix == ".py")
    return frozenset(
        node.name for text in sources for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_modules_and_folders_in_documents_exist(document: Path) -> None:
    named = {
        code.partition("::")[0] for code in inline_code(document) if re.fullmatch(r"[\w./-]+(\.py(::\w+)?|/)", code)
    }
    assert {name for name in named if not name.startswith("/")} <= paths()


@pytest.mark.parametrize("document", ABOUT_THE_CODE, ids=relative)
def test_classes_in_documents_exist(document: Path) -> None:
    assert {code for code in inline_code(document) if re.fullmatch(r"([A-Z][a-z0-9]+){2,}", code)} <= classes()


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_make_targets_in_documents_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    code = re.findall(r"^```.*?^```", text, flags=re.MULTILINE | re.DOTALL)
    code += re.findall(r"^    .*$", text, flags=re.MULTILINE) + re.findall(r"`[^`\n]+`", text)
    named = {name for part in code for name in re.findall(r"\bmake(?: +[A-Z]+=\S+)* +([a-z-]+)", part)}
    assert named <= targets()


def test_the_readme_names_the_two_commands_to_begin_with() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


def test_make_alone_lists_every_target() -> None:
    # Make's own environment (a test run by make) would change what it prints.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    listed = subprocess.run(["make"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in listed.splitlines()[1:]} == targets()


@pytest.mark.parametrize("script", SCRIPTS, ids=relative)
def test_scripts_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)
    shell = script.read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").split()[-1]
    subprocess.run([shell.rpartition("/")[2], "-n", script], check=True)


def test_no_file_names_a_package_registry() -> None:
    found = [
        f"{relative(path)}: {host}"
        for path in project_files()
        for host in PACKAGE_REGISTRIES
        if host.encode() in path.read_bytes()
    ]
    assert not found
