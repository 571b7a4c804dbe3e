"""What a URL says about a Kafka log."""

import re
import ssl
from typing import Any, Self
from urllib.parse import parse_qs, unquote

import msgspec

from services.model.host_list import host_port, hosts_of, split_url
from services.runtime.reasons import reason

DEFAULT_TOPIC = "hits"
DEFAULT_PORT = 9092
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
OPTIONS = ("ca", "certificate", "key", "mechanism")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")
"""Kafka's limit, less the longest suffix of the additional topics."""


class KafkaAddress(msgspec.Struct, frozen=True):
    """Brokers, topic and credentials of `kafkas://user:password@h1:9092,h2:9092/hits?ca=…`.

    brokers    host:port of the bootstrap brokers
    topic      the topic of the hits; there are also `<topic>-notes` and `<topic>-dead`
    tls        whether the scheme was `kafkas`
    user       '' without SASL
    mechanism  of SASL, one of MECHANISMS
    ca         file of the CAs of the brokers' certificates; '' for the system's
    pair       files of our client certificate and its key, if brokers require one
    """

    brokers: tuple[str, ...]
    topic: str
    tls: bool
    user: str
    password: str
    mechanism: str
    ca: str = ""
    pair: tuple[str, str] | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL. Raises ValueError, whose message contains no password."""
        parts, netloc = split_url(url)
        credentials, _, hosts = netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        if not hosts:
            raise ValueError(f"a log at {parts.scheme}://… names no broker; expected host:port")
        brokers = tuple(host_port(*host) for host in hosts_of(hosts, DEFAULT_PORT))
        topic = parts.path.strip("/") or DEFAULT_TOPIC
        if not _TOPIC.fullmatch(topic):
            raise ValueError(
                f"{topic!r} is no topic; expected up to 200 letters, digits, dots, _ and -"
            )
        given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := sorted(given.keys() - set(OPTIONS)):
            known = ", ".join(OPTIONS)
            raise ValueError(f"{unknown[0]!r} is no option of a log in Kafka; expected {known}")
        mechanism = given.get("mechanism", "SCRAM-SHA-512").upper()
        if mechanism not in MECHANISMS:
            raise ValueError(f"mechanism={mechanism}: expected one of {', '.join(MECHANISMS)}")
        tls = parts.scheme == "kafkas"
        if bool(user) != bool(password) or ("mechanism" in given and not user):
            raise ValueError("SASL needs a user and a password: kafkas://user:password@host:port")
        files = [name for name in ("ca", "certificate", "key") if name in given]
        if files and not tls:
            raise ValueError(f"{files[0]}=… is for TLS; expected kafkas://, not kafka://")
        if ("certificate" in given) != ("key" in given):
            raise ValueError("certificate=… and key=… belong together; one of them is missing")
        return cls(
            brokers=brokers,
            topic=topic,
            tls=tls,
            user=unquote(user),
            password=unquote(password),
            mechanism=mechanism,
            ca=given.get("ca", ""),
            pair=(given["certificate"], given["key"]) if "key" in given else None,
        )

    def options(self) -> dict[str, Any]:
        """Return the arguments common to all aiokafka clients.

        Raises ValueError for files that cannot be used.
        """
        sasl = bool(self.user)
        protocol = ("SASL_" if sasl else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.brokers),
            "security_protocol": protocol,
        }
        if self.tls:
            options["ssl_context"] = self._trust()
        if sasl:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options

    def _trust(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            raise ValueError(f"ca={self.ca}: {reason(error)}; expected a file in PEM") from None
        if self.pair is not None:
            try:
                context.load_cert_chain(*self.pair)
            except OSError as error:
                raise ValueError(
                    f"certificate={self.pair[0]}, key={self.pair[1]}: {reason(error)};"
                    " expected files in PEM that belong together, the key without a password"
                ) from None
        return context
