"""One client: identity, schedule, limits, server, login and TLS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.config.helpers import SERVER, client, error_of, errors, load_text, only_client, settings_of, task, warnings
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import AuthType, CapaUse
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.secret import Secret


def server_with(inside: str, address: str = "127.0.0.1") -> str:
    return f'<server address="{address}">{inside}</server>'


def auth(types: str, *, initrsp: str = "N") -> str:
    return server_with(
        f'<username>me</username><password>pw</password><authtypes initrsp="{initrsp}">{types}</authtypes>'
    )


# --- attributes -----------------------------------------------------------------------------------------------------


def test_defaults(tmp_path: Path) -> None:
    found = only_client(tmp_path, client())
    assert (found.id, found.recip, found.frequency, found.runs) == ("a", "user1", 300.0, 0)
    assert not any((found.retention.preserve, found.omit_received, found.full_transcript, found.retention.new_only))
    assert (found.retention.delete_after, found.retention.max_size, found.retention.max_messages) == (None, None, None)
    assert (found.capa, found.pipelining) == (CapaUse.LOGIN, True)


@pytest.mark.parametrize(
    ("written", "capa"),
    [("Y", CapaUse.STLS), ("1", CapaUse.STLS), ("off", CapaUse.LOGIN), ("never", CapaUse.NEVER), ("", CapaUse.LOGIN)],
)
def test_capa(tmp_path: Path, written: str, capa: CapaUse) -> None:
    assert only_client(tmp_path, client(f'capa="{written}"')).capa is capa


@pytest.mark.parametrize(
    ("written", "several"), [("auto", True), ("AUTO", True), ("Y", True), ("N", False), ("no", False), ("", True)]
)
def test_pipelining(tmp_path: Path, written: str, several: bool) -> None:
    assert only_client(tmp_path, client(f'pipelining="{written}"')).pipelining is several


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ('capa="newer"', "capa: 'newer' is neither yes nor no; write Y or N, or never"),
        ('pipelining="many"', "pipelining: 'many' is neither auto nor N"),
    ],
)
def test_what_capa_and_pipelining_cannot_be(tmp_path: Path, attribute: str, message: str) -> None:
    assert message in error_of(tmp_path, task(client(attribute)))


def test_all_attributes(tmp_path: Path) -> None:
    found = only_client(
        tmp_path,
        client(
            'freq="1h30m" runs="3" preserve="yes" capa="1" omitreceivedheader="on" fulltrans="T" newonly="Y"'
            ' deleteafter="14d" maxsize="25M" maxmessages="100" enabled="y"'
        ),
    )
    assert (found.frequency, found.runs) == (5400.0, 3)
    assert all(
        (
            found.retention.preserve,
            found.capa is CapaUse.STLS,
            found.omit_received,
            found.full_transcript,
            found.retention.new_only,
        )
    )
    assert (found.retention.delete_after, found.retention.max_size, found.retention.max_messages) == (
        14 * 86400.0,
        25 * 1024**2,
        100,
    )


@pytest.mark.parametrize(
    ("attributes", "frequency", "runs"),
    [
        ('freq="0"', 0.0, 1),
        ('freq="0" runs=""', 0.0, 1),
        ('freq="0" runs="0"', 0.0, 0),
        ('freq="0" runs="5"', 0.0, 5),
        ('freq="5m"', 300.0, 0),
        ('freq="5m" runs="1"', 300.0, 1),
        ('freq="20000"', 20.0, 0),
    ],
)
def test_frequency_and_runs(tmp_path: Path, attributes: str, frequency: float, runs: int) -> None:
    found = only_client(tmp_path, client(attributes))
    assert (found.frequency, found.runs) == (frequency, runs)


@pytest.mark.parametrize("name", ["id", "recip"])
@pytest.mark.parametrize("value", ["a/b", ".", "..", "a&#10;b", "a&#9;b", "a&#127;", "x" * 300])
def test_ids_and_recips_cannot_lead_elsewhere(tmp_path: Path, name: str, value: str) -> None:
    text = client().replace('id="a"' if name == "id" else 'recip="user1"', f'{name}="{value}"')
    assert error_of(tmp_path, task(text)).startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["id", "recip"])
@pytest.mark.parametrize("value", [None, "", " ", "-"])
def test_ids_and_recips_are_mandatory(tmp_path: Path, name: str, value: str | None) -> None:
    text = client().replace('id="a"' if name == "id" else 'recip="user1"', f'{name}="{value}"' if value else "")
    assert error_of(tmp_path, task(text)) == f"attribute {name} is missing in <client>"


def test_environment_variables_work_everywhere(tmp_path: Path) -> None:
    text = client('freq="${FREQ:7m}"').replace('"user1"', '"${WHO}"')
    found = only_client(tmp_path, text, environ={"WHO": "user9"})
    assert (found.recip, found.frequency) == ("user9", 420.0)


def test_an_unset_variable_is_not_reported_as_missing_too(tmp_path: Path) -> None:
    assert "WHO is not set" in error_of(tmp_path, task(client().replace('"user1"', '"${WHO}"')))


@pytest.mark.parametrize(
    "attribute", ['maxsize="0"', 'maxmessages="0"', 'deleteafter="0" preserve="Y"', 'freq="-"', 'preserve="-"']
)
def test_values_that_make_no_sense(tmp_path: Path, attribute: str) -> None:
    assert error_of(tmp_path, task(client(attribute)))


def test_deleteafter_needs_preserve(tmp_path: Path) -> None:
    assert 'goes with preserve="Y"' in error_of(tmp_path, task(client('deleteafter="14d"')))
    assert "preserve: 'x'" in error_of(tmp_path, task(client('deleteafter="14d" preserve="x"')))


# --- server ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "ssl", "shown"),
    [
        ("localhost", "", "localhost:110"),
        ("localhost", '<ssl latent="Y"/>', "localhost:110"),
        ("localhost", '<ssl enabled="N"/>', "localhost:110"),
        ("localhost", "<ssl/>", "localhost:995"),
        ("localhost", '<ssl latent="N"/>', "localhost:995"),
        ("localhost:1110", "<ssl/>", "localhost:1110"),
        ("[::1]", "<ssl/>", "[::1]:995"),
        ("[::1]:1", "", "[::1]:1"),
        ("pop.straße.example", "<ssl/>", "pop.straße.example:995"),
        ("pop.example.net.", "<ssl/>", "pop.example.net.:995"),
    ],
)
def test_addresses_and_default_ports(tmp_path: Path, address: str, ssl: str, shown: str) -> None:
    found = only_client(tmp_path, client(server=SERVER.replace("127.0.0.1", address), more=ssl))
    assert found.server.address == shown


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("address", "address: '💩.example' is not a host name (IDNA 2008)"),
        ("recip", "recip: '💩.example' is not a host name (IDNA 2008)"),
        ("sender", "<sender>: '💩.example' is not a host name (IDNA 2008)"),
        ("mail server", "<address>: '💩.example' is not a host name (IDNA 2008)"),
    ],
)
def test_a_wrong_host_name_is_reported_with_its_place(tmp_path: Path, part: str, message: str) -> None:
    host = {part: "💩.example"}
    text = (
        f'<client id="a"\nrecip="u@{host.get("recip", "x.example")}">\n'
        f'<server\naddress="{host.get("address", "127.0.0.1")}">'
        "<username>me</username><password>secret</password></server><smtp>\n"
        f"<sender>u@{host.get('sender', 'x.example')}</sender>\n"
        f"<address>{host.get('mail server', 'localhost')}</address></smtp></client>"
    )
    (problem,) = load_text(tmp_path, task(text)).problems
    assert problem.message.startswith(message)
    assert problem.line == {"recip": 2, "address": 4, "sender": 5, "mail server": 6}[part]


def test_a_server_is_mandatory(tmp_path: Path) -> None:
    assert error_of(tmp_path, task(client(server=""))) == "<server> is missing in <client>"
    text = task(client(server=SERVER.replace(' address="127.0.0.1"', "")))
    assert error_of(tmp_path, text) == "attribute address is missing in <server>"


# --- login ----------------------------------------------------------------------------------------------------------


def test_default_login(tmp_path: Path) -> None:
    server = only_client(tmp_path, client()).server
    assert server.auth_types == (AuthType.USERPASS, AuthType.SASL_PLAIN)
    assert (server.username, server.password, server.initial_response) == ("me", Literal(Secret("secret")), False)


def test_login_methods_in_their_order(tmp_path: Path) -> None:
    server = only_client(tmp_path, client(server=auth("sasl_cram_md5 | APOP|SASL-PLAIN", initrsp="Y"))).server
    assert server.auth_types == (AuthType.SASL_CRAM_MD5, AuthType.APOP, AuthType.SASL_PLAIN)
    assert server.initial_response


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ("USERPAS", "did you mean 'USERPASS'?"),
        ("USERPASS, APOP", "is not a login method"),
        ("USERPASS||APOP", "an item of the list is empty"),
        ("APOP|apop", "APOP is named twice"),
        ("AUTO|APOP", "AUTO cannot be combined"),
    ],
)
def test_wrong_login_methods(tmp_path: Path, types: str, message: str) -> None:
    assert message in error_of(tmp_path, task(client(server=auth(types))))


@pytest.mark.parametrize("name", [each.value for each in AuthType if each is not AuthType.SASL_EXTERNAL])
def test_every_login_method_can_be_named(tmp_path: Path, name: str) -> None:
    assert only_client(tmp_path, client(server=auth(name))).server.auth_types == (AuthType[name],)


def test_auto_needs_a_password_or_a_certificate(tmp_path: Path) -> None:
    without = server_with("<authtypes>AUTO</authtypes>")
    assert "AUTO needs a username" in error_of(tmp_path, task(client(server=without)))
    assert "AUTO needs a username" in error_of(tmp_path, task(client(server=without, more="<ssl/>")))
    found = only_client(tmp_path, client(server=without, more='<ssl kspath="rc.xml"/>'))
    assert found.server.auth_types == (AuthType.AUTO,)
    passwordless = server_with("<username>me</username><authtypes>AUTO</authtypes>")
    assert "AUTO needs a password" in error_of(tmp_path, task(client(server=passwordless)))


def test_without_a_username_only_external_is_usable(tmp_path: Path) -> None:
    message = error_of(tmp_path, task(client(server=server_with(""))))
    assert message.endswith("USERPASS needs a username; SASL_PLAIN needs a username")
    message = error_of(tmp_path, task(client(server=server_with("<username>me</username><password/>"))))
    assert message.endswith("USERPASS needs a password; SASL_PLAIN needs a password")


EXTERNAL = server_with("<authtypes>SASL_EXTERNAL</authtypes>")


def test_external_needs_tls_and_a_certificate(tmp_path: Path) -> None:
    assert "SASL_EXTERNAL needs TLS" in error_of(tmp_path, task(client(server=EXTERNAL)))
    with_user = auth("SASL_EXTERNAL")
    assert "SASL_EXTERNAL needs TLS" in error_of(tmp_path, task(client(server=with_user)))
    assert "needs a client certificate" in error_of(tmp_path, task(client(server=EXTERNAL, more="<ssl/>")))
    found = only_client(tmp_path, client(server=EXTERNAL, more='<ssl kspath="rc.xml"/>'))
    assert found.server.auth_types == (AuthType.SASL_EXTERNAL,)
    assert (found.server.username, found.server.password) == (None, None)


def test_an_unusable_method_is_dropped_with_a_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(server=auth("SASL_EXTERNAL | USERPASS"))))
    assert settings_of(loaded).clients[0].server.auth_types == (AuthType.USERPASS,)
    assert warnings(loaded) == [
        "a login method is left out: SASL_EXTERNAL needs TLS (<ssl>) and a client certificate (kspath)"
    ]


def test_plain_text_methods_stay_usable_without_tls(tmp_path: Path) -> None:
    server = auth("USERPASS | SASL_PLAIN").replace("127.0.0.1", "pop.example.net")
    assert len(only_client(tmp_path, client(server=server)).server.auth_types) == 2


@pytest.mark.parametrize(
    "text",
    [
        client(server=server_with("<usrname>me</usrname><password>x</password>")),
        client(server=server_with("<username>${NOPE}</username><password>x</password>")),
        client(server=server_with("<username>me</username><password>${NOPE}</password>")),
        client(server=server_with("<authtypes>EXTERNAL</authtypes>")),
        client(server=EXTERNAL, more='<sssl kspath="x"/>'),
        client(server=EXTERNAL, more='<ssl ksspath="x"/>'),
        client(server=server_with("<password>x</password>"), more="<username>me</username>"),
    ],
)
def test_consequences_of_a_mistake_are_not_reported(tmp_path: Path, text: str) -> None:
    assert "no login method" not in error_of(tmp_path, task(text))


@pytest.mark.parametrize("place", ["username", "password"])
@pytest.mark.parametrize("character", ["&#13;", "&#10;"])
def test_no_line_breaks_in_credentials(tmp_path: Path, place: str, character: str) -> None:
    inside = {"username": "me", "password": "pw"} | {place: f"s3cret{character}x"}
    server = server_with("".join(f"<{name}>{text}</{name}>" for name, text in inside.items()))
    message = error_of(tmp_path, task(client(server=server)))
    assert "line break" in message
    assert "s3cret" not in message


# --- passwords ------------------------------------------------------------------------------------------------------


def password(tmp_path: Path, element: str, **environ: str) -> PasswordSource | None:
    server = server_with(f"<username>me</username>{element}")
    return only_client(tmp_path, client(server=server), environ=environ).server.password


def test_a_password_in_the_file(tmp_path: Path) -> None:
    assert password(tmp_path, "<password>\n  a b  \n</password>") == Literal(Secret("a b"))
    assert password(tmp_path, "<password>${PW}</password>", PW=" x ") == Literal(Secret(" x "))
    assert password(tmp_path, "<password>${$}PW}</password>") == Literal(Secret("${PW}"))


@pytest.mark.parametrize("element", ["username", "password"])
@pytest.mark.parametrize(
    ("written", "found", "warned"),
    [
        ("{} two  spaces {}", "two  spaces", True),
        ("{}x {}", "x", True),
        ("{} x{}", "x", True),
        ("{}\tx{}", "x", True),
        ("{}x\u00a0{}", "x", True),
        ("{}\n x\n  {}", "x", False),  # layout
        ("{}\n x {}", "x", True),
        ("{}x{}", "x", False),
        ("{}two  spaces{}", "two  spaces", False),
    ],
)
@pytest.mark.parametrize("section", [("", ""), ("<![CDATA[", "]]>")], ids=["text", "CDATA"])
def test_outer_spaces_of_credentials_are_dropped_with_a_warning(
    tmp_path: Path, element: str, written: str, found: str, warned: bool, section: tuple[str, str]
) -> None:
    texts = {"username": "me", "password": "pw"} | {element: written.format(*section)}
    server = server_with("".join(f"<{name}>{text}</{name}>" for name, text in texts.items()))
    loaded = load_text(tmp_path, task(client(server=server)))
    made = settings_of(loaded).clients[0].server
    assert isinstance(made.password, Literal)
    assert {"username": made.username, "password": made.password.secret.reveal()}[element] == found
    message = (
        f'the spaces at the ends of <{element}> are dropped; if they belong to it, write <{element} xml:space="preser'
    )
    assert [each.startswith(message) for each in warnings(loaded)] == [True] * warned


@pytest.mark.parametrize("text", [" two  spaces ", "x\u00a0", "   ", "\tx", "x"])
@pytest.mark.parametrize("section", [("", ""), ("<![CDATA[", "]]>")], ids=["text", "CDATA"])
def test_xml_space_keeps_the_spaces_of_credentials(tmp_path: Path, text: str, section: tuple[str, str]) -> None:
    inside = "".join(
        f'<{name} xml:space="preserve">{section[0]}{text}{section[1]}</{name}>' for name in ("username", "password")
    )
    loaded = load_text(tmp_path, task(client(server=server_with(inside))))
    assert warnings(loaded) == []
    made = settings_of(loaded).clients[0].server
    assert (made.username, made.password) == (text, Literal(Secret(text)))


def test_spaces_of_passwords_in_attributes(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(more='<ssl tspass=" x "/>')))
    assert [each.partition(";")[0] for each in warnings(loaded)] == ["the spaces at the ends of tspass are dropped"]
    assert tls(tmp_path, 'tspass=" x "').trust_password == Secret("x")
    assert tls(tmp_path, 'tspass=" x " xml:space="preserve"').trust_password == Secret(" x ")


def test_xml_space_has_two_values_and_its_places(tmp_path: Path) -> None:
    server = server_with('<username>me</username><password xml:space="keep">x</password>')
    assert error_of(tmp_path, task(client(server=server))) == "xml:space: 'keep' is not one of preserve, default"
    (found,) = load_text(tmp_path, task(client('\nxml:space="preserve"'))).problems
    assert (found.message, found.line) == ("unknown attribute xml:space in <client>; it belongs in <username>", 2)


def test_a_password_with_octets_that_are_not_utf8(tmp_path: Path) -> None:
    assert password(tmp_path, "<password>${PW}</password>", PW="s\udce9cret") == Literal(Secret("s\udce9cret"))
    text = client(server=server_with("<username>${PW}</username><password>x</password>"))
    found = error_of(tmp_path, task(text), environ={"PW": "s\udce9cret"})
    assert found == "<username>: the environment variable PW is not valid UTF-8"


def test_a_password_from_the_environment(tmp_path: Path) -> None:
    assert password(tmp_path, '<password env="PW"/>', PW="x") == FromEnvironment("PW")
    message = error_of(tmp_path, task(client(server=server_with('<username>m</username><password env="hunter=2"/>'))))
    assert "not the name" in message
    assert "hunter" not in message  # it may be the password itself
    loaded = load_text(tmp_path, task(client(server=server_with('<username>m</username><password env="PW"/>'))))
    assert warnings(loaded) == ["the environment variable PW is not set now"]


def test_a_password_from_a_file(tmp_path: Path) -> None:
    assert password(tmp_path, '<password file="pw.txt"/>') == FromFile(str(tmp_path / "pw.txt"))
    credentials = "/run/credentials/x.service"
    for written, path in [
        ("pw.txt", f"{credentials}/pw.txt"),
        ("./pw.txt", str(tmp_path / "pw.txt")),
        ("sub/pw.txt", str(tmp_path / "sub/pw.txt")),
        ("/etc/pw.txt", "/etc/pw.txt"),
        ("~/pw.txt", "/home/me/pw.txt"),
    ]:
        source = password(tmp_path, f'<password file="{written}"/>', CREDENTIALS_DIRECTORY=credentials, HOME="/home/me")
        assert source == FromFile(path)


def test_a_password_from_a_command(tmp_path: Path) -> None:
    element = "<password command=\"pass show 'mail/my isp' &quot;a b&quot; $HOME ; x\"/>"
    assert password(tmp_path, element) == FromCommand(
        ("pass", "show", "mail/my isp", "a b", "$HOME", ";", "x"), timeout=60.0
    )


def test_wrong_quoting_of_a_command(tmp_path: Path) -> None:
    text = client(server=server_with('<username>m</username><password command="pass show \'x"/>'))
    assert error_of(tmp_path, task(text)) == "command: the quoting of the command is wrong: no closing quotation"
    text = client(server=server_with("<username>m</username><password command=\"'' x\"/>"))
    assert error_of(tmp_path, task(text)) == "command: the command is empty"


@pytest.mark.parametrize(
    "element", ['<password env="A">x</password>', '<password file="a" command="b"/>', '<password env="A" file="a"/>']
)
def test_a_password_has_one_source(tmp_path: Path, element: str) -> None:
    text = client(server=server_with(f"<username>m</username>{element}"))
    assert error_of(tmp_path, task(text), environ={"A": "x"}).startswith("the password comes from one place only")


# --- TLS ------------------------------------------------------------------------------------------------------------


def tls(tmp_path: Path, attributes: str) -> TlsPolicy:
    found = only_client(tmp_path, client(more=f"<ssl {attributes}/>")).server.tls
    assert found is not None
    return found


def test_tls_defaults(tmp_path: Path) -> None:
    assert only_client(tmp_path, client()).server.tls is None
    assert tls(tmp_path, "") == TlsPolicy()
    assert TlsPolicy().minimum_version == "TLSv1.2"
    assert TlsPolicy().handshake_timeout is None
    assert tls(tmp_path, 'timeout="5m"').handshake_timeout == 300.0


def test_tls_settings(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    (tmp_path / "me.p12").write_text("x")
    assert tls(
        tmp_path,
        'latent="Y" tspath="ca.pem" tspass="t" peercert="mail.example.net" cert="me" kspath="%DIRTOP%/me.p12"'
        ' kspass="k" certpass="c" kstype="pkcs12" tstype="PEM" proto="tlsv1.3" timeout="30s" mandatory="Y"',
    ) == TlsPolicy(
        latent=True,
        trust_path=str(tmp_path / "ca.pem"),
        trust_password=Secret("t"),
        peer_name="mail.example.net",
        certificate="me",
        key_store=str(tmp_path / "me.p12"),
        key_store_password=Secret("k"),
        certificate_password=Secret("c"),
        minimum_version="TLSv1.3",
        handshake_timeout=30.0,
    )


def test_switching_the_name_check_off_is_a_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(more='<ssl peercert="-"/>')))
    policy = settings_of(loaded).clients[0].server.tls
    assert policy is not None
    assert policy.peer_name == "-"
    assert warnings(loaded) == ['peercert="-" switches the check of the certificate\'s name off']


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("mail.example.net", "mail.example.net"),
        ("mail.example.net:995", "mail.example.net"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:995", "2001:db8::1"),
        ("straße.example", "straße.example"),
        # any text that a common name can hold
        ("server1@localhost", "server1@localhost"),
        ("not a host", "not a host"),
        ("Büro: Server 1", "Büro: Server 1"),
        ("a:b:c", "a:b:c"),
        ("192.0.2.256", "192.0.2.256"),
    ],
)
def test_peercert_may_be_any_name(tmp_path: Path, written: str, name: str) -> None:
    assert tls(tmp_path, f'peercert="{written}"').peer_name == name


def test_legacy_is_a_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(more='<ssl legacy="Y"/>')))
    policy = settings_of(loaded).clients[0].server.tls
    assert policy is not None
    assert policy.legacy
    assert not tls(tmp_path, 'legacy="N"').legacy
    (message,) = warnings(loaded)
    assert message.startswith(
        'legacy="Y" accepts short keys, SHA-1 signatures and servers without secure renegotiation'
    )


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ('proto="SSLv3"', "proto: 'SSLv3' is not one of TLSv1, "),
        ('timeout="0"', "timeout: the time must be more than 0"),
        ('latent="x"', "latent: 'x' is neither yes nor no"),
        ('kstype="ZIP"', "kstype: 'ZIP' is not one of PKCS12,"),
        ('cert="me"', "cert names an entry of a key store, but kspath is missing"),
        ('peercert="a&#9;b"', "peercert: a line break or another control character is not allowed in it"),
        ('legacy="x"', "legacy: 'x' is neither yes nor no"),
        ('fingerprint="abc"', "fingerprint: 'abc' is not a SHA-256 fingerprint"),
    ],
)
def test_wrong_tls_settings(tmp_path: Path, attributes: str, message: str) -> None:
    assert message in error_of(tmp_path, task(client(more=f"<ssl {attributes}/>")))


PIN = "aa" * 32


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        (PIN, (PIN,)),
        (PIN.upper(), (PIN,)),
        (":".join(["AA"] * 32), (PIN,)),
        (f"SHA256 Fingerprint={':'.join(['AA'] * 32)}", (PIN,)),
        (f"{':'.join(['aA'] * 32)} | {'bb' * 32}", (PIN, "bb" * 32)),
        ("", ()),
    ],
)
def test_fingerprints(tmp_path: Path, text: str, pins: tuple[str, ...]) -> None:
    assert tls(tmp_path, f'fingerprint="{text}"').fingerprints == pins


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ab" * 29, f"'{'ab' * 29}' is not a SHA-256 fingerprint (64 hex digits)"),
        (f"{PIN} | x", "'x' is not a SHA-256 fingerprint (64 hex digits)"),
        ("z" * 64, f"'{'z' * 60}…' is not a SHA-256 fingerprint (64 hex digits)"),
        ("ab" * 20, f"'{'ab' * 20}' is not a SHA-256 fingerprint (64 hex digits) but perhaps one of SHA-1"),
        ("ab" * 16, f"'{'ab' * 16}' is not a SHA-256 fingerprint (64 hex digits) but perhaps one of MD5"),
    ],
)
def test_a_wrong_fingerprint_is_reported_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (found,) = load_text(tmp_path, task(client(more=f'\n<ssl\n  fingerprint="{text}"/>'))).problems
    assert str(found).startswith(f"{tmp_path}/rc.xml:{found.line}:3: error: fingerprint: ")
    assert found.line > 2
    assert found.message == f"fingerprint: {message}"


@pytest.mark.parametrize(
    ("attribute", "name"),
    [('tspath="rc.xml"', "tspath"), ('peercert="x.test"', "peercert"), ('peercert="-"', "peercert")],
)
def test_settings_without_effect_with_a_pin_are_warnings(tmp_path: Path, attribute: str, name: str) -> None:
    loaded = load_text(tmp_path, task(client(more=f'<ssl fingerprint="{PIN}" {attribute}/>')))
    assert warnings(loaded) == [
        f"{name} has no effect: a certificate whose fingerprint is right is accepted without other checks"
    ]


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1"])
def test_old_versions_of_tls_are_warned_of(tmp_path: Path, version: str) -> None:
    (message,) = warnings(load_text(tmp_path, task(client(more=f'<ssl proto="{version}"/>'))))
    assert message.startswith(f"{version} is no longer safe")


@pytest.mark.parametrize(
    ("port", "ssl", "message"),
    [
        (995, "", 'port 995 means TLS from the first byte, which is <ssl latent="N"/>'),
        (995, '<ssl latent="Y"/>', 'port 995 means TLS from the first byte, which is <ssl latent="N"/>'),
        (110, "<ssl/>", 'port 110 begins in clear: use <ssl latent="Y"/> (STLS), or port 995'),
        (995, "<ssl/>", None),
        (110, '<ssl latent="Y"/>', None),
        (110, "", None),
        (1995, "", None),
    ],
)
def test_the_two_ports_have_their_meaning(tmp_path: Path, port: int, ssl: str, message: str | None) -> None:
    server = SERVER.replace("127.0.0.1", f"127.0.0.1:{port}")
    assert warnings(load_text(tmp_path, task(client(server=server, more=ssl)))) == ([message] if message else [])


def test_an_account_that_the_journal_cannot_hold_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    external = client(server=EXTERNAL, more='<ssl kspath="rc.xml"/><maildir>/m</maildir>')
    assert "' is not valid UTF-8, so the journal cannot tell this account" in error_of(folder, task(external))
    named = client(more='<ssl kspath="rc.xml"/><maildir>/m</maildir>')
    assert settings_of(load_text(folder, task(named))).clients[0].server.account == "me"


@pytest.mark.parametrize("name", ["tspath", "kspath"])
def test_a_store_that_is_not_there_is_a_warning(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, task(client(more=f'<ssl {name}="x.pem"/>')))
    assert warnings(loaded) == [f"{name}: there is no file {tmp_path}/x.pem"]


@pytest.mark.parametrize("name", ["tspath", "kspath"])
@pytest.mark.parametrize(
    ("file", "kind", "content"),
    [
        ("my keys.jks", "", None),
        ("keys", "JKS", None),
        ("keys", "", b"\xfe\xed\xfe\xed\x00\x00\x00\x02"),
        ("keys.p12", "PKCS12", b"\xfe\xed\xfe\xed\x00\x00\x00\x02"),
        ("keys", "", b"\xce\xce\xce\xce\x00\x00\x00\x02"),
    ],
)
def test_the_error_about_a_java_key_store_has_the_keytool_command(
    tmp_path: Path, name: str, file: str, kind: str, content: bytes | None
) -> None:
    if content:
        (tmp_path / file).write_bytes(content)
    kind = f'{name[:2]}type="{kind}"' if kind else ""
    message = error_of(tmp_path, task(client(more=f'<ssl {name}="{file}" {kind}/>')))
    quoted = "'" if " " in file else ""
    assert "keytool -importkeystore -srckeystore" in message
    assert f"-srckeystore {quoted}{tmp_path}/{file}{quoted} -destkeystore" in message
    assert message.endswith(f"{quoted} -deststoretype PKCS12")


def test_a_pkcs12_store_may_be_called_jks(tmp_path: Path) -> None:
    (tmp_path / "keys.jks").write_bytes(b"\x30\x82\x0a\x00")
    assert tls(tmp_path, 'kspath="keys.jks" kstype="JKS"').key_store == str(tmp_path / "keys.jks")


@pytest.mark.timeout(10)
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert tls(tmp_path, 'kspath="pipe"').key_store == str(tmp_path / "pipe")


def test_several_mistakes_in_one_client_are_all_reported(tmp_path: Path) -> None:
    text = client('deleteafter="1d" freq="x"', server=EXTERNAL.replace("127.0.0.1", "::1"))
    found = errors(load_text(tmp_path, task(text)))
    assert [message.split(":")[0].split(" ")[0] for message in found] == ["deleteafter", "freq", "address", "no"]
