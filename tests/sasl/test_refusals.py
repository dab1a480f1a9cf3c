"""What an -ERR to a login means by its words: a table of texts that servers send, and rules that hold for all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.sasl.refusals import LoginRefusal, advice_for, classify, wants_tls

REJECTED, LOCKED_OUT, IN_USE, TEMPORARY = LoginRefusal

#: (product or source, text behind -ERR without RESP-CODE, its class), from public sources: programs' sources, bug
#: reports, help pages.
TEXTS = [
    # --- the maildrop is in use
    ("hMailServer", "Your mailbox is already locked", IN_USE),
    ("RFC 1939 §7", "unable to lock maildrop", IN_USE),
    ("RFC 1939 §7", "maildrop already locked", IN_USE),
    ("Cyrus 2", "Unable to lock maildrop", IN_USE),
    ("VPOP3", "Mailbox Locked", IN_USE),
    ("provider's help page", "unable to lock mailbox", IN_USE),
    ("qpopper", "/var/mail/.me.pop lock busy!  Is another session active? (11)", IN_USE),
    ("popper (Berkeley), Kerberos popper", "Maildrop lock busy!  Is another session active?", IN_USE),
    ("UW ipop3d", "Can't get lock.  Mailbox in use", IN_USE),
    ("UC Davis pop3d", "being read already /var/spool/pop/me (stuck lock file in /var/spool/pop?)", IN_USE),
    ("GNU mailutils pop3d", "Mailbox in use", IN_USE),
    ("Sina mail", "duplicate login!", IN_USE),
    ("Cyrus (documentation)", "Mailbox locked by POP server.", IN_USE),
    ("Dovecot behind perdition", "mailbox already in use by pid 12345", IN_USE),
    ("small server", "Mailbox is locked. Try later.", IN_USE),
    ("small server", "Mailbox locked, try next time", IN_USE),
    ("small server", "mailbox me currently locked", IN_USE),
    ("small server", "User's Mailbox is locked", IN_USE),
    ("small server", "Maildrop is locked by someone else!", IN_USE),
    ("small server", "another user logged in", IN_USE),
    ("Firefox OS mail tests", "Your account is in use, try later.", IN_USE),
    # --- the server cannot now
    ("issue report", "mail storage services unavailable, wait a few minutes and try again", TEMPORARY),
    ("Courier pop3d", "Temporary problem, please try again later", TEMPORARY),
    ("PowerMail", "Temporary error connecting to backends", TEMPORARY),
    ("Synchronet", "System error, please try again later.", TEMPORARY),
    ("Synchronet", "Maximum active clients reached, please try again later.", TEMPORARY),
    ("LumiSoft", "Maximum connections from your IP address is exceeded, try again later !", TEMPORARY),
    ("Outlook.com, Exchange", "Server Unavailable. 15", TEMPORARY),
    ("Hotmail", "Exceeded the login limit for a 15 minute period. Reduce the frequency of requests.", TEMPORARY),
    ("Dovecot (director)", "Maximum number of connections from user+IP exceeded", TEMPORARY),
    ("James", "server busy, try later", TEMPORARY),
    ("popd", "Server busy, too many connections", TEMPORARY),
    ("small server", "Too many users.", TEMPORARY),
    ("small server", "Service is not available", TEMPORARY),
    ("Rumble", "Temporary error", TEMPORARY),
    ("nginx", "internal server error", TEMPORARY),
    ("BBS server", "Temporarily locked out, try again later", TEMPORARY),
    ("small server", "Authentication service unavailable", TEMPORARY),
    # --- the account is locked
    ("UC Davis pop3d", "account is SUSPENDED. Call for assistance.", LOCKED_OUT),
    ("Twisted", "account suspended", LOCKED_OUT),
    ("provider", "Your account has been temporarily locked due to too many failed login attempts", LOCKED_OUT),
    ("provider", "Account disabled. Try again later.", LOCKED_OUT),
    ("provider", "This account is blocked", LOCKED_OUT),
    # --- the credentials
    ("Exchange, Office 365", "Logon failure: unknown user name or bad password.", REJECTED),
    ("Outlook.com (OAuth)", "Authentication failure: unknown user name or bad password.", REJECTED),
    ("hMailServer", "Invalid user name or password. Too many invalid logon attempts.", REJECTED),
    ("Courier pop3d", "Login failed.", REJECTED),
    ("qmail-popup", "authorization failed", REJECTED),
    ("XMail", "Invalid auth or access denied", REJECTED),
    ("popa3d", "Authentication failed (bad password?)", REJECTED),
    ("GMX, WEB.DE", "authentication failed", REJECTED),
    ("NetEase 163", "Unable to log on", REJECTED),
    ("QQ mail", "login fail", REJECTED),
    ("qpopper", 'Password supplied for "me" is incorrect.', REJECTED),
    ("GNU mailutils pop3d", "Bad login", REJECTED),
    ("perdition", "Re-Authentication Failure", REJECTED),
    ("RFC 1939 §7", "invalid password", REJECTED),
    ("RFC 1939 §7", "never heard of mailbox name", REJECTED),
    ("RFC 1939 §7", "sorry, no mailbox for frated here", REJECTED),
    ("RFC 1939 §7", "permission denied", REJECTED),
    ("help page", "mailbox unknown", REJECTED),
    ("provider", "Too many failed login attempts. Please try again later.", REJECTED),
    ("Sora", "Too many authentication attempts. Please try again later.", REJECTED),
    ("Gmail", "Username and password not accepted.", REJECTED),
    ("Gmail", "Application-specific password required: https://support.google.com/accounts/answer/185833", REJECTED),
    ("Gmail", "Web login required: https://support.google.com/mail/answer/78754", REJECTED),
    ("Gmail", "Your account is not enabled for POP access. Please visit your Gmail settings page.", REJECTED),
    ("Yahoo", "POP access is not available for this account", REJECTED),
    ("Dovecot", "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", REJECTED),
    ("Dovecot", "Plaintext authentication disabled.", REJECTED),
    ("Dovecot", "Unsupported authentication mechanism.", REJECTED),
    ("old servers", "Unknown command: APOP", REJECTED),
    ("old servers", "APOP not available", REJECTED),
    ("Exchange", "Command is not valid in this state.", REJECTED),
    # --- other languages
    ("German provider", "Postfach ist derzeit belegt, bitte später erneut versuchen", IN_USE),
    ("German provider", "Der Dienst ist zur Zeit nicht verfügbar", TEMPORARY),
    ("German provider", "Benutzername oder Passwort falsch", REJECTED),
    ("German provider", "POP3 ist für dieses Postfach nicht aktiviert", REJECTED),
    ("German provider", "Das Konto ist gesperrt", LOCKED_OUT),
    ("French provider", "boîte verrouillée, réessayez plus tard", IN_USE),
    ("French provider", "service indisponible", TEMPORARY),
    ("French provider", "mot de passe incorrect", REJECTED),
    ("made up", "Login failed. Your mailbox will be locked after 3 more failed attempts", REJECTED),
    ("made up", "invalid password; mailbox is locked", REJECTED),
    ("made up", "Authentication failed: mailbox locked due to too many failed logins", REJECTED),
    ("made up", "Too many failed logins, POP locked for 10 minutes", REJECTED),
    ("made up", "Invalid login. Please try again later", REJECTED),
    ("made up", "Wrong password. Mailbox not available", REJECTED),
    ("made up", "Your password has expired. Mailbox is locked until you change it", REJECTED),
    ("made up", "Too many bad passwords; service unavailable", REJECTED),
    ("made up", "Passwort falsch, Postfach belegt", REJECTED),
    ("made up", "login failed: maildrop is in use", IN_USE),
    ("made up", "failed to log in: maildrop is in use", IN_USE),
    ("made up", "failed to login, mailbox locked", IN_USE),
    ("made up", "authentication failed: unable to lock maildrop", IN_USE),
    ("without a word", "", REJECTED),
]


@pytest.mark.parametrize(("product", "text", "expected"), TEXTS, ids=[f"{each[0]}: {each[1]}" for each in TEXTS])
def test_what_servers_send(product: str, text: str, expected: LoginRefusal) -> None:
    assert classify(text) is expected
    assert classify(text.upper()) is expected


@pytest.mark.parametrize(
    ("text", "username"),
    [
        ("no mailbox for busy here", "busy"),
        ("sorry, later is unknown", "later"),
        ("locked.mailbox@example.test is unknown", ""),
        ("see https://example.test/try/again/later", ""),
    ],
)
def test_names_and_addresses_are_no_reason(text: str, username: str) -> None:
    assert classify(text, username) is LoginRefusal.REJECTED


@given(st.sampled_from(["wrong password", "invalid credentials", "authentication failed", "3 attempts", "5 failures"]))
def test_words_of_the_credentials_come_before_later(words: str) -> None:
    for text in (f"{words}, try again later", f"please wait and try again: {words}"):
        assert classify(text) is LoginRefusal.REJECTED


@pytest.mark.parametrize("state", ["locked", "disabled", "suspended", "blocked"])
def test_an_account_that_is_locked(state: str) -> None:
    for text in (f"account {state}", f"Your account has been {state}, try again later", f"{state} account"):
        assert classify(text) is LoginRefusal.LOCKED_OUT
    assert classify(f"account {state} by another session") is LoginRefusal.IN_USE


@given(st.text(max_size=300))
def test_any_text_has_a_class(text: str) -> None:
    classify(text, "me")
    advice_for(text)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("[AUTH] Application-specific password required: https://support.google.com/x", "app password"),
        ("[AUTH] Web login required: https://support.google.com/x", "web browser"),
        ("[SYS/PERM] Your account is not enabled for POP access.", "enable POP access"),
        ("POP3 ist für dieses Postfach nicht aktiviert", "enable POP access"),
        ("Authentication failure: LogonDenied-BasicAuthBlocked", "access token"),
        ("[AUTH] account suspended", "locked the account"),
        ("[AUTH] wrong password", None),
        ("", None),
    ],
)
def test_what_to_do_where_the_text_says_what_is_missing(text: str, advice: str | None) -> None:
    told = advice_for(text)
    assert told is None if advice is None else advice in (told or "")


def test_wanting_tls() -> None:
    assert wants_tls("[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.")
    assert not wants_tls("no mail for me@tls.example.test")
