"""The part of JSON Schema that `config.schema.json` may use: checking the schema, filling defaults, checking values.

A trainer's configuration is a flat object; values are numbers, texts, switches, lists or objects. The portal draws
the form from the same file, so a keyword that is not known here is refused rather than passed over.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
LENGTHS = ("minLength", "maxLength", "minItems", "maxItems")
TEXTS = ("title", "description", "x-title-ko", "x-description-ko", "x-unit", "x-unit-ko")
PROPERTY_KEYWORDS = {"type", "enum", "default", "pattern", "items", "examples", "x-group", "x-order"}
PROPERTY_KEYWORDS |= {"x-enum-titles", "x-widget", *NUMERIC, *LENGTHS, *TEXTS}
ROOT_KEYWORDS = {"$schema", "$id", "type", "properties", "required", "additionalProperties", "title", "description"}
ROOT_KEYWORDS |= {"x-title-ko", "x-description-ko", "x-presets", "x-task-defaults"}
TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
GROUPS = ("basic", "advanced")


class ConfigError(ValueError):
    """A configuration breaks its schema; `problems` maps the key to what is wrong with its value."""

    def __init__(self, problems: Mapping[str, str]):
        super().__init__("; ".join(f"{key}: {text}" for key, text in problems.items()))
        self.problems = dict(problems)


def _is_type(value: Any, name: str) -> bool:
    match name:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return value is None


def _types(rule: Mapping[str, Any]) -> list[str]:
    kinds = rule.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def value_problem(rule: Mapping[str, Any], value: Any) -> str | None:
    """What is wrong with a value under one property's rule, None when nothing is."""
    kinds = _types(rule)
    if kinds and not any(_is_type(value, kind) for kind in kinds):
        return f"{value!r} is not of type {' or '.join(kinds)}"
    if "enum" in rule and not any(value == choice and type(value) is type(choice) for choice in rule["enum"]):
        return f"{value!r} is not one of {', '.join(map(repr, rule['enum']))}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number_problem(rule, value)
    if isinstance(value, str):
        if "pattern" in rule and not re.search(rule["pattern"], value):
            return f"{value!r} does not match {rule['pattern']}"
        return _length_problem(rule, len(value), "minLength", "maxLength", "characters")
    if isinstance(value, list):
        for index, item in enumerate(value):
            problem = value_problem(rule.get("items", {}), item)
            if problem:
                return f"[{index}] {problem}"
        return _length_problem(rule, len(value), "minItems", "maxItems", "entries")
    return None


def _number_problem(rule: Mapping[str, Any], value: float) -> str | None:
    if "minimum" in rule and value < rule["minimum"]:
        return f"{value} is less than {rule['minimum']}"
    if "maximum" in rule and value > rule["maximum"]:
        return f"{value} is more than {rule['maximum']}"
    if "exclusiveMinimum" in rule and value <= rule["exclusiveMinimum"]:
        return f"{value} is not more than {rule['exclusiveMinimum']}"
    if "exclusiveMaximum" in rule and value >= rule["exclusiveMaximum"]:
        return f"{value} is not less than {rule['exclusiveMaximum']}"
    if "multipleOf" in rule:
        times = value / rule["multipleOf"]
        if abs(times - round(times)) > 1e-9:
            return f"{value} is not a multiple of {rule['multipleOf']}"
    return None


def _length_problem(rule: Mapping[str, Any], length: int, low: str, high: str, what: str) -> str | None:
    if length < rule.get(low, 0):
        return f"fewer than {rule[low]} {what}"
    if high in rule and length > rule[high]:
        return f"more than {rule[high]} {what}"
    return None


def defaults(schema: Mapping[str, Any], task: str | None = None) -> dict[str, Any]:
    """The values that stand where nothing was chosen: each key's `default`, overlaid by the task's own."""
    values = {key: rule["default"] for key, rule in schema["properties"].items() if "default" in rule}
    values.update(schema.get("x-task-defaults", {}).get(task, {}))
    return values


def complete_config(schema: Mapping[str, Any], config: Mapping[str, Any], task: str | None = None) -> dict[str, Any]:
    """`config` with defaults filled in, checked against `schema`; raises ConfigError naming every bad key."""
    properties = schema["properties"]
    complete = {**defaults(schema, task), **config}
    problems = {}
    for key, value in complete.items():
        problem = value_problem(properties[key], value) if key in properties else "there is no such setting"
        if problem:
            problems[key] = problem
    for key in schema.get("required", []):
        if key not in complete:
            problems[key] = "is required"
    if problems:
        raise ConfigError(problems)
    return complete


def schema_problems(schema: Any) -> Iterator[str]:
    """What is wrong with a `config.schema.json`, one sentence each."""
    if not isinstance(schema, dict):
        yield "the schema is not an object"
        return
    for keyword in sorted(schema.keys() - ROOT_KEYWORDS):
        yield f"{keyword} is not a keyword that is understood here"
    if schema.get("type") != "object":
        yield 'type must be "object"'
    if schema.get("additionalProperties") is not False:
        yield "additionalProperties must be false: a misspelt setting must not pass"
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        yield "properties is missing"
        return
    for key, rule in properties.items():
        yield from _rule_problems(key, rule)
    for key in schema.get("required", []):
        if key not in properties:
            yield f"required names {key}, which is no property"
    yield from _value_set_problems(schema, properties)


def _rule_problems(key: str, rule: Any) -> Iterator[str]:
    if not isinstance(rule, dict):
        yield f"{key} is not an object"
        return
    for keyword in sorted(rule.keys() - PROPERTY_KEYWORDS):
        yield f"{key}: {keyword} is not a keyword that is understood here"
    kinds = _types(rule)
    if not kinds or any(kind not in TYPES for kind in kinds):
        yield f"{key}: type must be one of {', '.join(TYPES)}"
        return
    for keyword in NUMERIC:
        if keyword in rule and not _is_type(rule[keyword], "number"):
            yield f"{key}: {keyword} is not a number"
            return
    for keyword in LENGTHS:
        if keyword in rule and not _is_type(rule[keyword], "integer"):
            yield f"{key}: {keyword} is not a whole number"
            return
    for keyword in TEXTS:
        if keyword in rule and not isinstance(rule[keyword], str):
            yield f"{key}: {keyword} is not a text"
    if "title" not in rule:
        yield f"{key}: title is missing"
    if rule.get("x-group", "basic") not in GROUPS:
        yield f"{key}: x-group must be basic or advanced"
    try:
        problem = value_problem(rule, rule["default"]) if "default" in rule else None
    except (re.error, TypeError) as error:
        yield f"{key}: the rule cannot be applied: {error}"
        return
    if problem:
        yield f"{key}: the default is refused: {problem}"


def _value_set_problems(schema: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[str]:
    """Presets and task defaults must themselves be valid values."""
    sets: list[tuple[str, Any]] = []
    presets = schema.get("x-presets", [])
    if not isinstance(presets, list) or not all(isinstance(preset, dict) and "name" in preset for preset in presets):
        yield "x-presets must be a list of objects with a name"
    else:
        sets += [(f"preset {preset['name']}", preset.get("values")) for preset in presets]
    task_defaults = schema.get("x-task-defaults", {})
    if not isinstance(task_defaults, dict):
        yield "x-task-defaults must be an object"
    else:
        sets += [(f"defaults of task {task}", values) for task, values in task_defaults.items()]
    for where, values in sets:
        if not isinstance(values, dict):
            yield f"{where}: values is not an object"
            continue
        for key, value in values.items():
            rule = properties.get(key)
            problem = value_problem(rule, value) if isinstance(rule, dict) else "there is no such setting"
            if problem:
                yield f"{where}: {key}: {problem}"
