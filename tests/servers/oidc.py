"""A real provider of OpenID Connect on a free port, with people and keys of a test."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import RSAKey

from tests.patience import rounds
from tests.require import package
from tests.servers.oidc_site import CLIENT_ID, CLIENT_SECRET
from tests.servers.redis import free_port

ROOT = Path(__file__).parents[2]
PASSWORD = "what the provider asks for"


class OidcProvider:
    """Runs oidc_site.py; may be given other people at any time, and another key by a restart."""

    def __init__(self, folder: Path, url: str) -> None:
        """`url` is that of the Luot that people sign in to."""
        package("oauth2_provider")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._luot = url
        self._process: subprocess.Popen[bytes] | None = None
        self._people: dict[str, dict[str, Any]] = {}
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}/o"
        self.new_key()

    @property
    def settings(self) -> dict[str, str]:
        """Return what Luot is told of it, by the names of its settings."""
        return {
            "LUOT_OIDC_ISSUER": self.issuer,
            "LUOT_OIDC_CLIENT_ID": CLIENT_ID,
            "LUOT_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "LUOT_OIDC_NAME": "Cổng tỉnh",
            "LUOT_OIDC_ROLES": "admins=owner; desk=editor:mytho; cn=all,ou=x=viewer:*",
            "LUOT_PUBLIC_URL": self._luot,
        }

    def person(self, name: str, *groups: str, **claims: Any) -> None:
        """Let it have a person, in these groups from now on."""
        said = {"groups": list(groups), **claims}
        self._people[name] = {"password": PASSWORD, "claims": said}
        (self._folder / "people.json").write_text(json.dumps(self._people), "utf-8")

    def new_key(self) -> None:
        """Let it sign with another key from its next start on."""
        key = RSAKey.generate_key(2048)
        (self._folder / "key.pem").write_bytes(key.as_pem(private=True))

    def start(self) -> "OidcProvider":
        door = f"{self._luot}/admin/sign-in"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.servers.oidc_site"),
                    *(str(self.port), f"{door}/oidc/back", door),
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "OIDC_FOLDER": str(self._folder),
                    "OAUTHLIB_INSECURE_TRANSPORT": "1",
                },
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        for _ in rounds(0.05):
            if self._process.poll() is not None:
                break
            try:
                httpx.get(f"{self.issuer}/.well-known/openid-configuration").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return self
        raise RuntimeError((self._folder / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None
