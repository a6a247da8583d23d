"""Trainers found in the trainers' folder. The portal reads their descriptions and never imports their code."""

import json
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator
from modelyard_trainer.descriptor import Descriptor, DescriptorError, read_descriptor

from apps.core.errors import Invalid, NotFound

log = logging.getLogger(__name__)
SCHEMA_FILES = {"train": "config.schema.json", "predict": "predict.schema.json"}


@dataclass(frozen=True, slots=True)
class Trainer:
    """A trainer of this installation."""

    descriptor: Descriptor
    schemas: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        return self.descriptor.name

    @property
    def folder(self) -> str:
        """Name of its folder under the trainers' folder; launchers find it by this."""
        return self.descriptor.folder.name

    @property
    def needs_dataset(self) -> bool:
        return self.descriptor.needs_dataset

    def text(self, texts: dict[str, str]) -> str:
        return texts.get((get_language() or "en")[:2]) or texts["en"]

    def schema(self, mode: str) -> dict[str, Any]:
        return self.schemas.get(mode, {"type": "object", "properties": {}, "additionalProperties": False})

    def defaults(self, mode: str, task: str = "") -> dict[str, Any]:
        """Every setting's default, with the task's own on top."""
        schema = self.schema(mode)
        values = {key: field["default"] for key, field in schema["properties"].items() if "default" in field}
        return {**values, **schema.get("x-task-defaults", {}).get(task, {})}

    def checked(self, mode: str, task: str, config: dict[str, Any]) -> dict[str, Any]:
        """The settings completed with defaults. Raises `Invalid` naming every wrong field."""
        complete = {**self.defaults(mode, task), **config}
        errors: dict[str, list[str]] = {}
        for error in Draft202012Validator(self.schema(mode)).iter_errors(complete):
            if error.validator == "additionalProperties":
                for key in set(complete) - set(self.schema(mode)["properties"]):
                    errors[f"config.{key}"] = [_("This trainer has no such setting.")]
                continue
            path = ".".join(str(part) for part in error.absolute_path)
            errors.setdefault(f"config.{path}" if path else "config", []).append(_sentence(error))
        if errors:
            raise Invalid(
                _("Some settings are not valid."),
                code="config_invalid",
                hint=_("Correct the settings named below."),
                fields=errors,
            )
        return complete


def trainers() -> list[Trainer]:
    """Every sound trainer, by name; an unsound one is logged and left out."""
    return list(_read(*_fingerprint()).values())


def trainer(name: str) -> Trainer:
    found = _read(*_fingerprint()).get(name)
    if found is None:
        raise NotFound(_("There is no trainer of this name."))
    return found


def _fingerprint() -> tuple[tuple[str, float], ...]:
    """Folders with a descriptor and when their descriptions changed: an edit is seen without a restart."""
    found = []
    for path in sorted(Path(settings.TRAINERS_DIR).glob("*/trainer.toml")):
        times = [file.stat().st_mtime for file in (path, *path.parent.glob("*.schema.json"))]
        found.append((str(path.parent), max(times)))
    return tuple(found)


@lru_cache(maxsize=4)
def _read(*folders: tuple[str, float]) -> dict[str, Trainer]:
    found = {}
    for folder, _time in folders:
        try:
            descriptor = read_descriptor(folder)
            schemas = {
                mode: json.loads((Path(folder) / name).read_text())
                for mode, name in SCHEMA_FILES.items()
                if (Path(folder) / name).exists()
            }
        except (DescriptorError, OSError, ValueError) as error:
            log.error("trainer left out: %s", error)
            continue
        found[descriptor.name] = Trainer(descriptor, schemas)
    return found


def _sentence(error: Any) -> str:
    """A schema error in words for people."""
    value = error.validator_value
    match error.validator:
        case "minimum" | "exclusiveMinimum":
            return _("Must be at least %(value)s.") % {"value": value}
        case "maximum" | "exclusiveMaximum":
            return _("Must be at most %(value)s.") % {"value": value}
        case "multipleOf":
            return _("Must be a multiple of %(value)s.") % {"value": value}
        case "enum":
            return _("Must be one of: %(values)s.") % {"values": ", ".join(map(str, value))}
        case "type":
            return _("Must be of the type %(value)s.") % {"value": value}
        case "maxLength":
            return _("Must have at most %(value)s characters.") % {"value": value}
        case "pattern":
            return _("Has characters that are not allowed.")
    return str(error.message)
