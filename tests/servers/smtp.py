"""A real SMTP server that keeps what it takes."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.redis import free_port

USER, PASSWORD = b"luot", b"hush-smtp"


class SmtpServer:
    """Takes messages, or refuses them while `refusing`; `nobody` has addresses that it refuses."""

    def __init__(self, scheme: str, host: str) -> None:
        self.port = free_port()
        self.scheme, self.host = scheme, host
        self.received: list[tuple[list[str], EmailMessage]] = []
        self.refusing = False
        self.nobody: set[str] = set()
        self.users: list[bytes] = []

    @property
    def url(self) -> str:
        """Where it is, with its user and password."""
        return f"{self.scheme}://{USER.decode()}:{PASSWORD.decode()}@{self.host}:{self.port}"

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        """Take an address to send to."""
        if address in self.nobody:
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a message."""
        if self.refusing:
            return "451 4.3.0 The disk is full"
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append((list(envelope.rcpt_tos), message))
        return "250 OK"

    def authenticate(
        self, _: SMTP, __: Session, ___: Envelope, ____: str, given: object
    ) -> AuthResult:
        """Tell whether user and password are right."""
        assert isinstance(given, LoginPassword)
        self.users.append(given.login)
        is_right = (given.login, given.password) == (USER, PASSWORD)
        return AuthResult(success=is_right, handled=is_right)


@contextmanager
def smtp_server(
    scheme: str = "smtp", host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[SmtpServer]:
    """Run a server on a free port of this machine.

    scheme  of its URL: `smtps` has TLS from the start, `starttls` takes no password without
    tls     its certificate
    """
    server = SmtpServer(scheme, host)
    later = scheme == "starttls"
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=server.port,
        authenticator=server.authenticate,
        auth_require_tls=later,
        ssl_context=None if later else tls,
        tls_context=tls if later else None,
        require_starttls=later,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
