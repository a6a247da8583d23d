"""How the OpenAPI schema is drawn from the views."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from apps.core.api import PREFIX

PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "status", "code", "detail", "hint", "errors"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable name of the error, for programs."},
        "detail": {"type": "string", "description": "What is wrong, in the language of the request."},
        "hint": {"type": "string", "description": "What to do about it; may be empty."},
        "errors": {
            "type": "object",
            "description": "Messages by input field.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "params": {"type": "object", "additionalProperties": True},
    },
}


class ModelyardSchema(AutoSchema):
    """Tags by the first path segment."""

    def get_tags(self) -> list[str]:
        parts = [part for part in self.path.split("/") if part]
        return [parts[2]] if len(parts) > 2 else ["api"]


class BodyOnDelete(ModelyardSchema):
    """For views whose DELETE takes a body, which is otherwise taken for one without."""

    def _get_request_body(self, direction: str = "request") -> Any:
        if self.method != "DELETE":
            return super()._get_request_body(direction)
        self.method = "POST"
        try:
            return super()._get_request_body(direction)
        finally:
            self.method = "DELETE"


class AccessTokenScheme(OpenApiAuthenticationExtension):
    target_class = "apps.core.api.authentication.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token, or an API key (`myk_…`).",
        }


class PortalSessionScheme(OpenApiAuthenticationExtension):
    target_class = "apps.core.api.authentication.PortalSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


def public_paths_only(endpoints: list[Any]) -> list[Any]:
    """The schema describes `/api/v1/`; attempts and the schema itself have their own documents."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX)]


def add_problem_responses(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Every operation may answer with a problem; said once here rather than on each view."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    answer = {
        "description": "The request was refused.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].setdefault("default", answer)
    return result
