"""A provider of OpenID Connect: Django with django-oauth-toolkit, as a program of its own.

`python -m tests.servers.oidc_site FOLDER PORT`; the folder has `key.pem` and `people.json`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("OIDC_FOLDER", "."))
CLIENT_ID = "luot"
CLIENT_SECRET = "what only Luot and the provider know: +/%"

LOGIN = """<!doctype html><html lang="en"><title>Provider</title><h1>The provider</h1>
<form method="post">{% csrf_token %}{{ form.as_p }}<button>Continue</button></form></html>"""


def people() -> dict[str, dict[str, Any]]:
    """Return what the provider says of each of its people, as the file has it now."""
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / "people.json").read_text("utf-8"))
    return found


def configure(port: int) -> None:
    """Set Django up."""
    import django
    from django.conf import settings

    settings.configure(
        DEBUG=False,
        SECRET_KEY="of the tests",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.servers.oidc_urls",
        LOGIN_URL="/login/",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": False,
                "OPTIONS": {
                    "context_processors": ["django.contrib.auth.context_processors.auth"],
                    "loaders": [
                        (
                            "django.template.loaders.locmem.Loader",
                            {"registration/login.html": LOGIN},
                        ),
                        "django.template.loaders.app_directories.Loader",
                    ],
                },
            }
        ],
        # Not the cookies of Luot, which has the same host in tests.
        SESSION_COOKIE_NAME="provider_session",
        CSRF_COOKIE_NAME="provider_csrf",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(FOLDER / "provider.sqlite"),
            }
        },
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": (FOLDER / "key.pem").read_text(),
            "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
            "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
            "OIDC_RP_INITIATED_LOGOUT_STRICT_REDIRECT_URIS": True,
            "PKCE_REQUIRED": True,
            "OAUTH2_VALIDATOR_CLASS": "tests.servers.oidc_claims.Claims",
            "SCOPES": {"openid": "who", "profile": "name", "email": "address"},
        },
    )
    django.setup()


def fill(back: str, left: str) -> None:
    """Make the tables, the people, and Luot as a client."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from oauth2_provider.models import get_application_model

    call_command("migrate", verbosity=0)
    for name, person in people().items():
        user, _ = get_user_model().objects.get_or_create(username=name)
        user.set_password(person["password"])
        user.save()
    get_application_model().objects.update_or_create(
        client_id=CLIENT_ID,
        defaults={
            "client_secret": CLIENT_SECRET,
            "client_type": "confidential",
            "authorization_grant_type": "authorization-code",
            "redirect_uris": back,
            "post_logout_redirect_uris": left,
            "skip_authorization": True,
            "algorithm": "RS256",
            "name": "Luot",
        },
    )


def main() -> None:
    """Serve until the process is ended."""
    port, back, left = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    configure(port)
    fill(back, left)
    from django.core.management import call_command

    call_command("runserver", f"127.0.0.1:{port}", use_reloader=False, verbosity=0)


if __name__ == "__main__":
    main()
