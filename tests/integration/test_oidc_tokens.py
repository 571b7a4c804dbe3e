"""What a provider says of a person is believed only where it is signed, ours, and of now."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.api.access.group_roles import GroupRoles
from services.api.access.oidc import begun, provider
from services.api.access.oidc.provider import Provider
from services.api.access.oidc.settings import ProviderSettings
from services.http.errors import ApiError
from services.settings import Secret
from tests.servers.asgi import listening, port_of

NOW = 1_700_000_000
BEGUN = begun.new("/admin", NOW)
RSA = RSAKey.generate_key(2048, {"kid": "first"})
OTHER = RSAKey.generate_key(2048, {"kid": "first"})
EC = ECKey.generate_key("P-256", {"kid": "second"})


class Liar:
    """A provider that says what the test wants; no real one would."""

    def __init__(self) -> None:
        self.keys = KeySet([RSA])
        self.says: dict[str, Any] = {}
        self.token = ""
        self.userinfo: dict[str, Any] = {}
        self.asked: list[str] = []
        self.form: dict[str, str] = {}
        self.issuer = ""
        self.application = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._description),
                Route("/keys", self._keys),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
            ]
        )

    async def _description(self, _: Request) -> Response:
        self.asked.append("description")
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                **self.says,
            }
        )

    async def _keys(self, _: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse(self.keys.as_dict())

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        self.form = {name: str(value) for name, value in form.items()}
        self.form["authorization"] = request.headers.get("authorization", "")
        return JSONResponse({"access_token": "a", "id_token": self.token, "token_type": "Bearer"})

    async def _userinfo(self, request: Request) -> Response:
        self.asked.append("userinfo")
        assert request.headers["authorization"] == "Bearer a"
        return JSONResponse(self.userinfo)


@pytest_asyncio.fixture
async def liar() -> AsyncIterator[Liar]:
    liar = Liar()
    async with listening(liar.application, lifespan="off") as server:
        liar.issuer = f"http://127.0.0.1:{port_of(server)}"
        yield liar


def asking(liar: Liar, monotonic: list[float] | None = None) -> Provider:
    settings = ProviderSettings(
        liar.issuer,
        "luot",
        Secret("a b:+"),
        "Liar",
        GroupRoles(),
        "https://luot.example/back",
        "https://luot.example/left",
    )
    times = monotonic or [0.0]
    return Provider(settings, lambda: NOW, lambda: times[0])


def claims(liar: Liar, **changed: Any) -> dict[str, Any]:
    said = {
        "iss": liar.issuer,
        "sub": "1",
        "aud": "luot",
        "exp": NOW + 300,
        "iat": NOW,
        "nonce": BEGUN.nonce,
        "preferred_username": "lan",
        "groups": ["desk"],
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def signed(said: Mapping[str, Any], key: Any = RSA, alg: str = "RS256", **header: Any) -> str:
    full = {"alg": alg, "kid": key.kid, **header}
    return jwt.encode(full, dict(said), key, algorithms=[alg])


async def refusal(liar: Liar) -> int:
    """Return the status of the refusal of what it says; 0 where it is believed."""
    asked = asking(liar)
    try:
        await asked.claims("code", BEGUN)
    except ApiError as error:
        return error.status
    finally:
        await asked.close()
    return 0


async def test_what_is_right_is_believed_and_the_code_is_proved(liar: Liar) -> None:
    liar.token = signed(claims(liar))
    asked = asking(liar)
    assert (await asked.claims("the code", BEGUN))["preferred_username"] == "lan"
    address = await asked.address(BEGUN)
    await asked.close()
    assert address.startswith(f"{liar.issuer}/authorize?tenant=1&response_type=code&")
    assert liar.form["code"] == "the code"
    assert liar.form["code_verifier"] == BEGUN.verifier
    assert liar.form["redirect_uri"] == "https://luot.example/back"
    assert "client_secret" not in liar.form
    # As RFC 6749 has it: encoded as in a form, then in base 64.
    assert liar.form["authorization"] == "Basic bHVvdDphK2IlM0ElMkI="
    assert "userinfo" not in liar.asked


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://another.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"aud": ["luot", "another"]},
        {"aud": ["luot", "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": NOW + 61},
        {"iat": None},
        {"nbf": NOW + 61},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"sub": 1},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_sign_in_is_refused(
    liar: Liar, changed: dict[str, Any]
) -> None:
    liar.token = signed(claims(liar, **changed))
    assert await refusal(liar) == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["luot"]},
        {"aud": ["luot", "another"], "azp": "luot"},
        {"exp": NOW - 59},
        {"iat": NOW + 59},
    ],
    ids=str,
)
async def test_clocks_may_differ_by_a_minute_and_others_may_be_meant_too(
    liar: Liar, changed: dict[str, Any]
) -> None:
    liar.token = signed(claims(liar, **changed))
    assert await refusal(liar) == 0


async def test_only_the_keys_of_the_provider_sign(liar: Liar) -> None:
    said = claims(liar)
    public = json.dumps(RSA.as_dict(private=False)).encode()
    plain = {"alg": "none", "kid": "first"}
    parts = [urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (plain, said)]
    right = signed(said)
    for token in (
        signed(said, OTHER),
        signed(said, OctKey.import_key(public, {"kid": "first"}), "HS256"),
        b".".join([*parts, b""]).decode(),
        right[:-4] + "AAAA",
        right.replace(".", ""),
        "",
        signed(said, EC, "ES256"),
    ):
        liar.token = token
        assert await refusal(liar) == 401, token
    liar.keys = KeySet([RSA, EC])
    liar.token = signed(said, EC, "ES256")
    assert await refusal(liar) == 0


async def test_keys_are_asked_for_again_for_a_new_one_and_not_at_each_invented_one(
    liar: Liar,
) -> None:
    times = [0.0]
    asked = asking(liar, times)
    liar.token = signed(claims(liar))
    await asked.claims("code", BEGUN)
    liar.keys = KeySet([RSA, EC])
    liar.token = signed(claims(liar), EC, "ES256")
    with pytest.raises(ApiError):
        await asked.claims("code", BEGUN)
    times[0] += provider.KEYS_SECONDS
    await asked.claims("code", BEGUN)
    liar.token = signed(claims(liar), RSA, kid="invented")
    for _ in range(20):
        with pytest.raises(ApiError):
            await asked.claims("code", BEGUN)
    await asked.close()
    assert liar.asked == ["description", "keys", "keys"]


async def test_what_the_token_lacks_is_read_from_userinfo_of_the_same_person(liar: Liar) -> None:
    liar.token = signed(claims(liar, groups=None))
    liar.userinfo = {"sub": "1", "groups": ["admins"], "preferred_username": "boss"}
    asked = asking(liar)
    said = await asked.claims("code", BEGUN)
    await asked.close()
    # What is signed comes first.
    assert (said["preferred_username"], said["groups"]) == ("lan", ["admins"])
    liar.userinfo = {"sub": "2", "groups": ["admins"]}
    assert await refusal(liar) == 401


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://127.0.0.1:9/token"},
        {"token_endpoint": "no address"},
        {"jwks_uri": "http://127.0.0.1:9/keys"},
        {"token_endpoint": None},
    ],
    ids=str,
)
async def test_a_provider_that_is_set_up_wrong_is_told_apart(
    liar: Liar, says: dict[str, Any]
) -> None:
    liar.token = signed(claims(liar))
    liar.says = says
    assert await refusal(liar) == 502
