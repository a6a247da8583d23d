"""A trainer's settings as a form: drawn from the JSON Schema of one of its modes, and read back from what was sent."""

import json
from typing import Any

from django.utils.translation import get_language

from apps.trainers.catalogue import Trainer

PREFIX = "config."


def config_of(trainer: Trainer, mode: str, posted: Any) -> dict[str, Any]:
    """The settings as they were sent by the form, in the schema's types; the catalogue checks them."""
    found: dict[str, Any] = {}
    for key, field in trainer.schema(mode)["properties"].items():
        kind, text = _kind(field), posted.get(PREFIX + key)
        if kind == "boolean":
            found[key] = text is not None
        elif text is not None and text.strip() != "":
            found[key] = _typed(kind, text.strip(), field)
        elif text is not None and "null" in _types(field):
            found[key] = None
    return found


def schema_fields(
    trainer: Trainer, mode: str, values: dict[str, Any], errors: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """The fields of components/schema_form.html: the mode's settings with these values, and what is wrong with them
    by `config.<name>`."""
    schema = trainer.schema(mode)
    required, fields = schema.get("required", []), []
    for key, field in schema["properties"].items():
        choices = field.get("enum")
        fields.append(
            {
                "name": PREFIX + key,
                "key": key,
                "id": f"id_config_{key}",
                "title": title_of(key, field),
                "description": _worded(field, "description"),
                "kind": _kind(field),
                "value": values.get(key, field.get("default")),
                "default": field.get("default"),
                "minimum": field.get("minimum", field.get("exclusiveMinimum")),
                "maximum": field.get("maximum", field.get("exclusiveMaximum")),
                "choices": [(value, str(value)) for value in choices] if choices else [],
                "unit": _worded(field, "unit"),
                "group": field.get("x-group", "advanced"),
                "required": key in required,
                "errors": errors.get(f"config.{key}", []),
                "order": field.get("x-order", 1000),
            }
        )
    return sorted(fields, key=lambda found: found["order"])


def schema_presets(trainer: Trainer, mode: str) -> list[dict[str, str]]:
    """The presets of components/schema_form.html; `values` is JSON."""
    korean = _is_korean()
    return [
        {
            "name": preset["name"],
            "title": (preset.get("title_ko") if korean else None) or preset["title"],
            "values": json.dumps(preset["values"]),
            "model": preset.get("model", ""),
        }
        for preset in trainer.schema(mode).get("x-presets", [])
    ]


def cpu_preset(trainer: Trainer, mode: str) -> dict[str, Any] | None:
    """The preset that the trainer has for machines without a GPU (`"for": "cpu"`)."""
    presets = trainer.schema(mode).get("x-presets", [])
    return next((preset for preset in presets if preset.get("for") == "cpu"), None)


def title_of(key: str, field: dict[str, Any]) -> str:
    """What a setting is called in the reader's language; its key where the trainer gives no title."""
    return _worded(field, "title") or key


def _worded(field: dict[str, Any], name: str) -> str:
    """A text of the schema; those that JSON Schema does not know (`x-unit`) begin with `x-` in English too."""
    return (field.get(f"x-{name}-ko") if _is_korean() else None) or field.get(name) or field.get(f"x-{name}", "")


def _is_korean() -> bool:
    return (get_language() or "en").startswith("ko")


def _types(field: dict[str, Any]) -> list[str]:
    kind = field.get("type", "string")
    return kind if isinstance(kind, list) else [kind]


def _kind(field: dict[str, Any]) -> str:
    if field.get("enum"):
        return "choice"
    return next((kind for kind in _types(field) if kind != "null"), "string")


def _typed(kind: str, text: str, field: dict[str, Any]) -> Any:
    """A value that does not fit its type stays text: the check then says what is wrong."""
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
    except ValueError:
        return text
    if kind == "choice":
        return next((value for value in field["enum"] if str(value) == text), text)
    return text
