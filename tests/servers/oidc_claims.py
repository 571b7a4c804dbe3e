"""What the provider in oidc_site.py says of its people."""

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator

from tests.servers.oidc_site import people


class Claims(OAuth2Validator):
    """Reads people.json at each sign-in."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """Return the claims of the person of a request."""
        name = request.user.get_username()
        return {"preferred_username": name, **people()[name].get("claims", {})}
