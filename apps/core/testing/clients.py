"""Clients that a test speaks through: programs over REST, people in the portal and the admin."""

from typing import Any

from django.test import Client
from rest_framework.test import APIClient

from apps.core.testing.openapi import check_response


class RestClient(APIClient):
    """A program. Sends JSON with an access token (none: anonymous) and checks every answer against the schema.

    Paths may be given from `/api/v1` on: `client.get("/projects")`.
    """

    def __init__(self, token: str = "", **defaults: Any) -> None:
        super().__init__(**defaults)
        if token:
            self.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    def generic(self, method: str, path: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        full = path if path.startswith(("/api/", "http")) else f"/api/v1{path}"
        response = super().generic(method, full, *args, **kwargs)
        check_response(method, full, response)
        return response


class PortalClient(Client):
    """A person with a session (none: anonymous). CSRF is left to the tests that are about it."""

    def htmx(self, path: str, **kwargs: Any) -> Any:
        """GET as htmx asks for a part of a page."""
        return self.get(path, headers={"HX-Request": "true"}, **kwargs)
