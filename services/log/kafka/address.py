"""What a URL says about a Kafka log."""

import ssl
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

DEFAULT_TOPIC = "hits"
DEFAULT_PORT = 9092
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class KafkaAddress(msgspec.Struct, frozen=True):
    """Brokers, topic and credentials of `kafka://user:password@h1:9092,h2:9092/hits?mechanism=…`.

    brokers    host:port of those to ask first
    topic      the topic of the hits; beside it are `<topic>-notes` and `<topic>-dead`
    tls        whether the scheme was `kafkas`
    user       '' without SASL
    mechanism  of SASL, one of MECHANISMS
    """

    brokers: tuple[str, ...]
    topic: str
    tls: bool
    user: str
    password: str
    mechanism: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL. Raises ValueError, whose text has no password in it."""
        parts = urlsplit(url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        brokers = tuple(_broker(host) for host in hosts.split(",") if host)
        if not brokers:
            raise ValueError(f"a log at {parts.scheme}://… names no broker; expected host:port")
        given = parse_qs(parts.query)
        if unknown := sorted(given.keys() - {"mechanism"}):
            raise ValueError(f"{unknown[0]!r} is no option of a log in Kafka; expected mechanism")
        mechanism = given.get("mechanism", ["SCRAM-SHA-512" if user else "PLAIN"])[-1].upper()
        if mechanism not in MECHANISMS:
            raise ValueError(f"mechanism={mechanism}: expected one of {', '.join(MECHANISMS)}")
        return cls(
            brokers=brokers,
            topic=parts.path.strip("/") or DEFAULT_TOPIC,
            tls=parts.scheme == "kafkas",
            user=unquote(user),
            password=unquote(password),
            mechanism=mechanism,
        )

    def options(self) -> dict[str, Any]:
        """Return what every client of aiokafka is made with."""
        sasl = bool(self.user)
        protocol = ("SASL_" if sasl else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.brokers),
            "security_protocol": protocol,
        }
        if self.tls:
            options["ssl_context"] = ssl.create_default_context()
        if sasl:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options


def _broker(host: str) -> str:
    name, colon, port = host.rpartition(":")
    if not colon or name.endswith(":") or port.endswith("]"):
        return f"{host}:{DEFAULT_PORT}"
    if not name or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"{host!r} is no broker; expected host:port")
    return host
