"""E-mail over TLS, from its start or by STARTTLS, to real SMTP servers."""

import ssl
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from services.api.stats.reports.mailer import Mailer, MailError, SmtpUrl
from tests.require import program
from tests.servers.smtp import SmtpServer, smtp_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

CERTIFICATE = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    " -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate of localhost."""
    folder = tmp_path_factory.mktemp("tls")
    command = [program("openssl"), *CERTIFICATE.split()]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module", params=["smtps", "starttls"])
def smtp(request: pytest.FixtureRequest, folder: Path) -> Iterator[SmtpServer]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with smtp_server(request.param, "localhost", tls) as server:
        yield server


async def send(url: str) -> None:
    message = EmailMessage()
    message["To"], message["Subject"] = "lan@mytho.example", "Báo cáo"
    message.set_content("Tháng 3")
    await Mailer(SmtpUrl(url), "Luot <luot@example.vn>").send(message)


async def test_a_message_goes_out_over_tls(
    smtp: SmtpServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "cert.pem"))
    smtp.received.clear()
    await send(smtp.url)
    ((receivers, message),) = smtp.received
    assert receivers == ["lan@mytho.example"]
    assert message["Subject"] == "Báo cáo"

    with pytest.raises(MailError) as wrong:
        await send(smtp.url.replace("hush-smtp", "hush-wrong"))
    assert str(wrong.value) == f"localhost:{smtp.port} refused user and password (535)"
    with pytest.raises(MailError, match=r"not valid for '127\.0\.0\.1'"):
        await send(smtp.url.replace("@localhost", "@127.0.0.1"))
    assert len(smtp.received) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(smtp: SmtpServer) -> None:
    smtp.users.clear()
    with pytest.raises(MailError) as refused:
        await send(smtp.url)
    assert "certificate verify failed" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert smtp.users == [], "no password before the certificate is known"


async def test_a_server_without_tls_is_told_no_password(smtp: SmtpServer) -> None:
    with smtp_server() as plain:
        url = f"{smtp.scheme}://luot:hush-smtp@127.0.0.1:{plain.port}"
        with pytest.raises(
            MailError, match=rf"127\.0\.0\.1:{plain.port} (has no TLS|did not take)"
        ):
            await send(url)
        assert plain.users == []
