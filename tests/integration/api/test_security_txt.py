"""Who has found a hole learns whom to tell, if the operator has named somebody."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from services.api.settings import ApiSettings
from services.http import error_responses, security_txt
from services.settings import SettingsError

PATH = "/.well-known/security.txt"


async def asked(contact: str | None, url: str | None) -> httpx.Response:
    app = FastAPI(routes=[*security_txt.routes(contact, url)])
    error_responses.install(app, "/api/v1/stats")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://luot") as client:
        return await client.get(PATH)


@pytest.mark.asyncio
async def test_the_file_names_the_contact_and_is_never_out_of_date() -> None:
    answer = await asked("mailto:antoan@example.vn", "https://thongke.example.vn/")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:antoan@example.vn"
    assert fields["Canonical"] == f"https://thongke.example.vn{PATH}"
    left = datetime.fromisoformat(fields["Expires"]) - datetime.now(UTC)
    # RFC 9116 recommends less than a year.
    assert timedelta(days=30) < left < timedelta(days=365)
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", fields["Expires"])


@pytest.mark.asyncio
async def test_without_a_contact_there_is_no_file() -> None:
    assert (await asked(None, None)).status_code == 404


@pytest.mark.parametrize("contact", ["antoan@example.vn", "http://example.vn", "mailto:a b@c"])
def test_what_is_no_address_fails_the_start(contact: str) -> None:
    with pytest.raises(SettingsError, match="SECURITY_CONTACT"):
        ApiSettings.read({"LUOT_SECURITY_CONTACT": contact})
