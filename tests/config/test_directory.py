"""The directory: its files, what is wrong in them, and the expansion of aliases."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.config.helpers import client, load_text, task, warnings
from tui_popretr.config.directory import Directory, read_directory
from tui_popretr.config.problems import Report
from tui_popretr.secret import Secret


def read(
    folder: Path, *, domains: str | None = None, users: str | None = None, aliases: str | None = None
) -> tuple[Directory, list[str]]:
    """Write and read the files that are given; return the problems without the folder."""
    paths: dict[str, str | None] = {}
    for name, text in (("domains", domains), ("users", users), ("aliases", aliases)):
        paths[name] = None
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8", newline="")
            paths[name] = str(folder / name)
    report = Report("main")
    directory = read_directory(paths["domains"], paths["users"], paths["aliases"], report)
    return directory, [str(problem).removeprefix(f"{folder}/") for problem in report.problems()]


def sound(
    folder: Path, *, domains: str = "one.example\ntwo.example\n", aliases: str, users: str | None = None
) -> Directory:
    """A directory without problems."""
    directory, problems = read(folder, domains=domains, aliases=aliases, users=users)
    assert problems == []
    return directory


# --- files ----------------------------------------------------------------------------------------------------------


def test_blank_lines_and_comments_are_skipped(tmp_path: Path) -> None:
    directory, problems = read(
        tmp_path,
        domains="\n# ours\r\n  Example.NET  \r\n\t# too\n",
        users="# people\n\nfred : pass word \nAnna\nbob:\r\n#eve:x\n",
        aliases="#x:y\n Info@Example.net : fred : Anna \n",
    )
    assert problems == []
    assert directory.domains == {"example.net"}
    assert set(directory.users or ()) == {"fred", "anna", "bob"}
    assert directory.aliases == {"info@example.net": ("fred", "Anna")}


@pytest.mark.parametrize("domain", ["straße.example", "Straße.Example", "xn--strae-oqa.example", "straße。example"])
@pytest.mark.parametrize("recip", ["Info@straße.example", "info@xn--strae-oqa.example", "info@STRAßE.example"])
def test_a_domain_may_be_written_in_any_of_its_forms(tmp_path: Path, domain: str, recip: str) -> None:
    directory = sound(tmp_path, domains=f"{domain}\n", aliases=f"info@{domain} : fred\n", users="fred\n")
    assert directory.expand(recip) == (f"fred@{recip.partition('@')[2]}",)
    assert directory.expand("info@strasse.example") == ("info@strasse.example",)
    assert directory.lacks(f"nobody@{recip.partition('@')[2]}")


def test_a_wrong_domain_is_reported_with_its_line(tmp_path: Path) -> None:
    _, problems = read(tmp_path, domains="ok.example\n💩.example\n", aliases="a@ok.example : b@💩.example\n")
    assert problems == [
        "aliases:1:1: error: 'b@💩.example' is neither a name nor an address",
        "domains:2:1: error: '💩.example' is not a domain; one domain a line is expected",
    ]


def test_names_lose_their_case_and_passwords_keep_everything(tmp_path: Path) -> None:
    directory, _ = read(tmp_path, users="Fred: PassWord:# \n")
    fred = directory.user("FRED")
    assert fred is not None
    assert fred.name == "Fred"
    assert fred.password == Secret(" PassWord:# ")


def test_without_a_users_file_every_name_is_a_user(tmp_path: Path) -> None:
    directory, _ = read(tmp_path)
    anybody = directory.user("anybody")
    assert anybody is not None
    assert anybody.name == "anybody"
    assert read(tmp_path, users="")[0].user("anybody") is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"domains": "a.example\nb c\n"}, ["domains:2:1: error: 'b c' is not a domain"]),
        ({"domains": "x@a.example\n"}, ["domains:1:1: error: 'x@a.example' is not a domain"]),
        ({"users": "ok\n:x\n"}, ["users:2:1: error: a user name is expected"]),
        ({"users": "../x\n..\n"}, ["users:1:1: error: a user name", "users:2:1: error: a user name"]),
        ({"users": "a\nA:x\n"}, ["users:2:1: warning: the user 'A' is named a second time"]),
        ({"aliases": "a\n", "domains": "d\n"}, ["aliases:1:1: error: an alias is expected"]),
        ({"aliases": "a:\n", "domains": "d\n"}, ["aliases:1:1: error: an alias is expected"]),
        ({"aliases": "a : b :: c\n", "domains": "d\n"}, ["aliases:1:1: error: an alias is expected"]),
        ({"aliases": "a : b c\n", "domains": "d\n"}, ["aliases:1:1: error: 'b c' is neither a name nor an address"]),
        ({"aliases": "a : @x\n", "domains": "d\n"}, ["aliases:1:1: error: '@x' is neither"]),
        ({"aliases": ". : x\n", "domains": "d\n"}, ["aliases:1:1: error: '.' is neither"]),
        ({"aliases": "a : . : x\n", "domains": "d\n"}, ["aliases:1:1: error: the sink . cannot be combined"]),
        (
            {"aliases": "a : x\n\nA : y\n", "domains": "d\n"},
            ["aliases:3:1: error: the alias 'A' is defined a second time; see line 1"],
        ),
        ({"aliases": "\na : x\nb : x\n"}, ["aliases:2:1: warning: aliases apply only to addresses in local domains"]),
        (
            {"aliases": "a : frd\n", "domains": "d\n", "users": "fred\n"},
            ["aliases:1:1: warning: 'frd' is neither a local user nor an alias; did you mean 'fred'?"],
        ),
        (
            {
                "aliases": "a : Fred : a2@d : x@elsewhere.example\n\na2 : .\nb : nobody@d\n",
                "domains": "d\n",
                "users": "fred\n",
            },
            ["aliases:4:1: warning: 'nobody@d' is neither a local user nor an alias"],
        ),
        (
            {"aliases": "a@home.example : x\na@hone.example : x\n", "domains": "home.example\n"},
            ["aliases:2:1: warning: 'hone.example' is no local domain, so the alias has no effect; did you mean 'home"],
        ),
    ],
)
def test_problems_tell_file_and_line(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    _, problems = read(tmp_path, **files)
    assert len(problems) == len(expected), problems
    for problem, start in zip(problems, expected, strict=True):
        assert problem.startswith(start)


def test_a_file_that_is_missing_or_not_text(tmp_path: Path) -> None:
    report = Report("main")
    (tmp_path / "latin").write_bytes(b"ok\ncaf\xe9\n")
    directory = read_directory(str(tmp_path / "missing"), str(tmp_path / "latin"), str(tmp_path), report)
    assert [str(problem).removeprefix(str(tmp_path)) for problem in report.problems()] == [
        ":1:1: error: cannot be read: is a directory",
        "/latin:2:1: error: the line is not UTF-8",
        "/missing:1:1: error: cannot be read: no such file or directory",
    ]
    assert directory.user("ok")


# --- expansion ------------------------------------------------------------------------------------------------------


def test_the_most_specific_alias_counts(tmp_path: Path) -> None:
    directory = sound(
        tmp_path, aliases="info@one.example : user1\ninfo : user2\nsupport: user1 : fred@elsewhere.example\n"
    )
    assert directory.expand("info@one.example") == ("user1@one.example",)
    assert directory.expand("INFO@Two.example") == ("user2@Two.example",)
    assert directory.expand("support@two.example") == ("user1@two.example", "fred@elsewhere.example")


def test_only_local_domains_are_expanded(tmp_path: Path) -> None:
    directory = sound(tmp_path, aliases="info : user2\n")
    assert directory.expand("info@elsewhere.example") == ("info@elsewhere.example",)
    assert directory.expand("info") == ("info",)
    assert directory.expand("Other@one.example") == ("Other@one.example",)


def test_aliases_of_aliases_in_any_order(tmp_path: Path) -> None:
    directory = sound(tmp_path, aliases="all : staff : boss\nstaff : a : b\nboss : b : c@two.example\nc : d\n")
    assert directory.expand("all@one.example") == (
        "a@one.example",
        "b@one.example",
        "d@two.example",
    )


def test_the_sink(tmp_path: Path) -> None:
    directory = sound(tmp_path, aliases="nobody : .\nsome : nobody : a\n")
    assert directory.expand("nobody@one.example") == ()
    assert directory.expand("some@one.example") == ("a@one.example",)


def test_addresses_keep_their_case(tmp_path: Path) -> None:
    directory = sound(tmp_path, aliases="a : Fred@Elsewhere.Example : FRED@elsewhere.example\n")
    assert directory.expand("A@one.example") == ("Fred@Elsewhere.Example",)


@pytest.mark.parametrize(
    ("aliases", "line", "loop"),
    [
        ("a : a\n", 1, "a -> a"),
        ("x : y\na : b\nb : c\nc : a : d\n", 2, "a -> b -> c -> a"),
        ("a : b@one.example\nb@one.example : a@one.example\n", 1, "a -> b@one.example -> a"),
        ("a@one.example : a\n", 1, "a@one.example -> a@one.example"),
    ],
)
def test_each_loop_is_one_error(tmp_path: Path, aliases: str, line: int, loop: str) -> None:
    directory, problems = read(tmp_path, domains="one.example\ntwo.example\n", aliases=aliases)
    assert problems == [f"aliases:{line}:1: error: the alias leads back to itself: {loop}"]
    assert isinstance(directory.expand("a@one.example"), tuple)


def test_two_ways_to_one_alias_are_no_loop(tmp_path: Path) -> None:
    directory = sound(tmp_path, aliases="a : b : c\nb : d\nc : d\nd : e\n")
    assert directory.expand("a@one.example") == ("e@one.example",)


@pytest.mark.timeout(10)
def test_many_ways_cost_no_more_than_many_aliases(tmp_path: Path) -> None:
    lines = "".join(f"a{n} : b{n} : c{n}\nb{n} : a{n + 1}\nc{n} : a{n + 1}\n" for n in range(60))
    directory = sound(tmp_path, aliases=lines)
    assert directory.expand("a0@one.example") == ("a60@one.example",)


def test_a_user_in_the_alias_of_the_same_name_is_no_loop(tmp_path: Path) -> None:
    directory = sound(tmp_path, users="fred\narchive\n", aliases="fred : fred : archive\n")
    assert directory.expand("fred@one.example") == ("fred@one.example", "archive@one.example")


_NAME = st.sampled_from(["a", "b", "c", "a@one.example", "b@two.example", "x@elsewhere.example", "."])


@given(st.dictionaries(_NAME.filter(lambda name: name != "."), st.lists(_NAME, min_size=1, max_size=3), max_size=5))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_expansion_ends_and_leaves_no_alias(tmp_path: Path, aliases: dict[str, list[str]]) -> None:
    lines = "".join(f"{name} : {' : '.join(members)}\n" for name, members in aliases.items())
    directory, problems = read(tmp_path, domains="one.example\ntwo.example", aliases=lines)
    for recip in ("a@one.example", "b@two.example", "c@two.example"):
        result = directory.expand(recip)
        assert len({address.lower() for address in result}) == len(result)
        if not any("error" in problem for problem in problems):
            assert all(directory.alias_of(address) is None for address in result)


def leads_back(directory: Directory, address: str, parent: str = "", trail: tuple[str, ...] = ()) -> bool:
    """Whether some way from an address comes back to an address on it: every way is gone, one by one."""
    if address.lower() in trail:
        return True
    alias = directory.alias_of(address, parent)
    on = (*trail, address.lower())
    return alias is not None and any(
        leads_back(directory, member, alias, on) for member in directory.members(alias, address)
    )


@given(
    st.dictionaries(_NAME.filter(lambda name: name != "."), st.lists(_NAME, min_size=1, max_size=2), max_size=5),
    st.sampled_from([("one.example", "two.example"), ("one.example", "three.example", "four.example", "two.example")]),
)
@example({"a": ["b"], "b": ["a"], "a@one.example": ["x@elsewhere.example"], "b@two.example": ["c"]}, ("one.example",))
@example({"a": ["b"], "b": ["a"], "b@one.example": ["c"], "c@two.example": ["d"]}, ("one.example", "two.example"))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_loop_in_any_domain_is_found(tmp_path: Path, aliases: dict[str, list[str]], domains: tuple[str, ...]) -> None:
    """Not every domain is gone through: those without aliases of their own are alike."""
    lines = "".join(f"{name} : {' : '.join(members)}\n" for name, members in aliases.items() if "." not in members)
    directory, problems = read(tmp_path, domains="\n".join(domains), aliases=lines)
    starts = [name if "@" in name else f"{name}@{domain}" for name in directory.aliases for domain in domains]
    expected = any(leads_back(directory, start) for start in starts)
    assert any("leads back to itself" in problem for problem in problems) == expected


def test_a_large_directory_is_no_labour(tmp_path: Path) -> None:
    """Aliases times domains, or users times unknown members, would not end within a test's time."""
    domains = "".join(f"d{n}.example\n" for n in range(3000))
    users = "".join(f"u{n}\n" for n in range(10000))
    aliases = "".join(f"a{n} : u{n} : nobody{n}\n" for n in range(10000))
    _, problems = read(tmp_path, domains=domains, users=users, aliases=aliases)
    assert len(problems) == 10000


@given(st.binary(max_size=80))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_octets_are_read(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "any").write_bytes(data)
    path = str(tmp_path / "any")
    assert isinstance(read_directory(path, path, path, Report("main")), Directory)


@pytest.mark.parametrize(
    ("recip", "warned"),
    [
        ("fred@one.example", False),
        ("Info@One.Example", False),
        ("frd@one.example", True),
        ("frd@elsewhere.example", False),
        ("fred", False),
    ],
)
def test_an_unknown_recip_of_a_local_domain_is_a_warning(tmp_path: Path, recip: str, warned: bool) -> None:
    (tmp_path / "domains").write_text("one.example\n")
    (tmp_path / "users").write_text("fred\n")
    (tmp_path / "aliases").write_text("info : fred\n")
    files = "".join(f"<{name}>{name}</{name}>" for name in ("domains", "users", "aliases"))
    text = client(more="<smtp><sender>me</sender></smtp>").replace("user1", recip)
    found = warnings(load_text(tmp_path, task(text, before=f"<directory>{files}</directory>")))
    assert found == ([f"recip '{recip}' is neither a local user nor an alias"] if warned else [])
