"""Sends e-mail through the SMTP server in the settings."""

import re
import ssl
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from typing import Self
from urllib.parse import unquote, urlsplit

from services.http.errors import Translatable, bad_request, shown
from services.settings import Secret

SECONDS = 30.0
"""How long the server may be silent."""
MOST_ADDRESSES = 20
ADDRESS = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?", re.ASCII
)
_FIRST_PAUSE_MS = 5 * 60_000
_LONGEST_PAUSE_MS = 6 * 3_600_000
"""Between two failed attempts."""
_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}


class MailError(Exception):
    """A message was not accepted; says by which server and why, never a password."""


class SmtpUrl(Secret):
    """smtp://, starttls:// or smtps://user:password@host:port."""

    @classmethod
    def of_setting(cls, value: str) -> Self:
        """Return the server in a setting. Raises ValueError for an unusable one."""
        try:
            parts = urlsplit(value)
            fits = parts.scheme in _PORTS and parts.hostname and parts.port != 0
        except ValueError:
            fits = False
        if not fits:
            raise ValueError("Expected smtp://, starttls:// or smtps://user:password@host:port")
        return cls(value)


def pause_ms(failures: int) -> int:
    """Return how long to wait after this many failed attempts, twice as long each time."""
    return min(_FIRST_PAUSE_MS * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_MS) if failures else 0


def addresses_of(text: str) -> list[str]:
    """Return the addresses in a text, separated by commas, semicolons or whitespace, unchecked."""
    return text.replace(",", " ").replace(";", " ").split()


def checked_addresses(given: Iterable[str], least: int = 1) -> tuple[str, ...]:
    """Return addresses without duplicates. Raises ApiError for invalid, too few or too many."""
    addresses = tuple(dict.fromkeys(given))
    for one in addresses:
        if not ADDRESS.fullmatch(one):
            message = Translatable(
                f"{shown(one)}; expected an address such as lan@mytho.example",
                "report.mail.address",
                address=one[:80],
            )
            raise bad_request("addresses", message)
    if not least <= len(addresses) <= MOST_ADDRESSES:
        message = Translatable(
            f"{len(addresses)} addresses; expected {least} to {MOST_ADDRESSES}",
            "report.mail.addresses",
            count=len(addresses),
            least=least,
            most=MOST_ADDRESSES,
        )
        raise bad_request("addresses", message)
    return addresses


class Mailer:
    """Sends messages; `is_ready` tells whether the settings name a server and a sender."""

    def __init__(self, server: SmtpUrl | None, sender: str | None) -> None:
        self._server = server
        self.sender = sender or ""
        self.is_ready = bool(server and sender)

    async def send(self, message: EmailMessage) -> str:
        """Send a message to its recipients. Raises MailError if nobody got it.

        Returns whom the server refused while others got it, and why; '' for nobody.
        """
        if self._server is None:
            raise MailError("LUOT_SMTP_URL and LUOT_MAIL_FROM are not set")
        import aiosmtplib

        parts = urlsplit(self._server.get_secret_value())
        where = f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
        message["From"] = self.sender
        message["Date"] = formatdate(usegmt=True)
        host = parseaddr(self.sender)[1].rpartition("@")[2]
        message["Message-ID"] = make_msgid(domain=host)
        try:
            refused, _ = await aiosmtplib.send(
                message,
                hostname=parts.hostname,
                port=parts.port or _PORTS[parts.scheme],
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password or "") if parts.username else None,
                use_tls=parts.scheme == "smtps",
                start_tls=parts.scheme == "starttls",
                tls_context=ssl.create_default_context() if parts.scheme != "smtp" else None,
                timeout=SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            whom = {one.recipient: (one.code, one.message) for one in error.recipients}
            raise MailError(_not_taken(where, whom)) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            # What the server says about a password may repeat it.
            raise MailError(f"{where} refused user and password ({error.code})") from None
        except (aiosmtplib.SMTPTimeoutError, TimeoutError) as error:
            raise MailError(f"{where} does not answer in time") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            said = " ".join(str(error).split())[:300]
            if any(isinstance(one, ssl.SSLError) for one in (error, error.__context__)):
                raise MailError(f"{where} has no TLS that will do: {said}") from error
            is_away = isinstance(error, OSError | aiosmtplib.SMTPServerDisconnected)
            if is_away and not isinstance(error, aiosmtplib.SMTPResponseException):
                raise MailError(f"{where} is out of reach, or ended the connection") from error
            raise MailError(f"{where} did not take the message: {said}") from error
        return _not_taken(where, refused) if refused else ""


def _not_taken(where: str, refused: Mapping[str, tuple[int, str]]) -> str:
    """Return which addresses a server refused, each with its answer."""
    whom = (f"{one} ({code} {' '.join(said.split())})" for one, (code, said) in refused.items())
    return f"{where} did not take the message: {', '.join(whom)}"
