"""A tool call's arguments: from the text a model sent to a JSON object that fits the tool. Pure.

Lenient only where one meaning is possible: what could be read in two ways is told to the model.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from enum import StrEnum

from pydantic import JsonValue

_CLOSERS = re.compile(r"[\s}\])`;]*")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*)\n```", re.S)
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_WORDS = {"true": True, "false": False}
Schema = Mapping[str, JsonValue]


class Unreadable(StrEnum):
    CUT = "cut"  # the text ends inside the JSON
    BAD = "bad"


def parse_arguments(text: str) -> dict[str, JsonValue] | Unreadable:
    """The object the text means. Nothing at all means no arguments."""
    text = text.strip()
    if fenced := _FENCE.fullmatch(text):
        text = fenced[1].strip()
    if not text:
        return {}
    decoded = decode_first(text)
    if decoded is None:
        return _python_literal(text) or (Unreadable.CUT if _is_cut(text) else Unreadable.BAD)
    value, end = decoded
    rest = text[end:].strip()
    if value == {} and rest.startswith("{"):  # some servers put an empty object before the real one
        return parse_arguments(rest)
    if isinstance(value, str) and not rest:  # encoded twice
        again = decode_first(value)
        value = again[0] if again and not value[again[1] :].strip() else value
    if not isinstance(value, dict) or not _CLOSERS.fullmatch(rest):
        return Unreadable.BAD
    return value


def decode_first(text: str, at: int = 0) -> tuple[JsonValue, int] | None:
    """The JSON value that starts at `at` and where it ends, bare control characters allowed."""
    start = len(text) - len(text[at:].lstrip()) if at else len(text) - len(text.lstrip())
    try:
        value, end = _DECODER.raw_decode(text, start)
        json.dumps(value)  # what nests deeper than it can be written again is refused here
    except (ValueError, RecursionError):
        return None
    return value, end


def fit(value: dict[str, JsonValue], schema: Schema) -> dict[str, JsonValue]:
    """`value` with what has one meaning only put into the types that the schema wants."""
    definitions = schema.get("$defs")
    fitted = _object(value, schema, definitions if isinstance(definitions, dict) else {})
    return fitted


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no JSON number")
    return number


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(strict=False, parse_float=_finite, parse_constant=_no_constant)


def _is_cut(text: str) -> bool:
    """Whether the text ends inside a string or an open bracket."""
    if text[:1] not in ("{", "[", '"'):
        return False
    depth, quoted, escaped = 0, False, False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        else:
            depth += (character in "{[") - (character in "}]")
    return quoted or depth > 0


def _python_literal(text: str) -> dict[str, JsonValue] | None:
    """{'path': 'a', 'all': True}, as models trained on Python write it."""
    if not text.startswith("{'"):
        return None
    try:
        value = ast.literal_eval(text)
        again = json.loads(json.dumps(value, allow_nan=False))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return again if isinstance(again, dict) and again == value else None


def _object(
    value: dict[str, JsonValue], schema: Schema, definitions: Schema
) -> dict[str, JsonValue]:
    properties = schema.get("properties")
    required = schema.get("required")
    must = required if isinstance(required, list) else []
    if not isinstance(properties, dict):
        return value
    fitted: dict[str, JsonValue] = {}
    for key, part in value.items():
        wanted = properties.get(key)
        if not isinstance(wanted, dict):
            fitted[key] = part
        elif part is None and key not in must and not _allows(wanted, definitions, "null"):
            continue  # null stands for "not given" where there is a default
        else:
            fitted[key] = _fitted(part, wanted, definitions)
    return fitted


def _fitted(value: JsonValue, schema: Schema, definitions: Schema) -> JsonValue:
    options = _options(schema, definitions)
    for option in options:
        if _is_of(value, option):
            return _inside(value, option, definitions)
    for option in options:
        found = _converted(value, option)
        if found is not None:
            return _inside(found, option, definitions)
    return value


def _inside(value: JsonValue, schema: Schema, definitions: Schema) -> JsonValue:
    if isinstance(value, dict) and "properties" in schema:
        return _object(value, schema, definitions)
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        return [_fitted(part, items, definitions) for part in value]
    return value


def _options(schema: Schema, definitions: Schema) -> list[Schema]:
    """The alternatives of a schema, references followed."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found = definitions.get(reference.rpartition("/")[2])
        return _options(found, definitions) if isinstance(found, dict) else []
    several = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(several, list):
        return [o for s in several if isinstance(s, dict) for o in _options(s, definitions)]
    return [schema]


def _allows(schema: Schema, definitions: Schema, kind: str) -> bool:
    return any(o.get("type") in (kind, None) for o in _options(schema, definitions))


def _is_of(value: JsonValue, schema: Schema) -> bool:
    if "enum" in schema:
        choices = schema["enum"]
        return isinstance(choices, list) and value in choices
    match schema.get("type"):
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "null":
            return value is None
        case _:
            # Any JSON: only text that is itself an object or a list means that.
            return not (isinstance(value, str) and value.lstrip()[:1] in ("{", "["))


def _converted(value: JsonValue, schema: Schema) -> JsonValue:  # noqa: PLR0911 (one per type)
    """The value as the schema's type; None when there is no one meaning."""
    choices = schema.get("enum")
    if isinstance(choices, list):
        same = [c for c in choices if isinstance(c, str) and str(value).lower() == c.lower()]
        return same[0] if len(same) == 1 else None
    match schema.get("type"), value:
        case "integer", str() if _INTEGER.fullmatch(value.strip()):
            return int(value)
        case "integer", float() if value.is_integer():
            return int(value)
        case "number", str():
            decoded = decode_first(value)
            return decoded[0] if decoded and _is_of(decoded[0], schema) else None
        case "boolean", str():
            return _WORDS.get(value.strip().lower())
        case "string", bool():
            return None
        case "string", int() | float():
            return json.dumps(value)
        case "array", str():
            return _as_list(value, schema)
        case "array", dict() if _of_objects(schema):
            return [value]
        case (("object" | None), str()):
            decoded = decode_first(value)
            whole = decoded is not None and not value[decoded[1] :].strip()
            kinds = (dict,) if schema.get("type") else (dict, list)
            return decoded[0] if decoded and whole and isinstance(decoded[0], kinds) else None
        case _:
            return None


def _as_list(value: str, schema: Schema) -> list[JsonValue] | None:
    decoded = decode_first(value)
    if decoded and isinstance(decoded[0], list) and not value[decoded[1] :].strip():
        return decoded[0]
    if decoded and isinstance(decoded[0], dict) and _of_objects(schema):
        return [decoded[0]]
    items = schema.get("items")
    texts = isinstance(items, dict) and items.get("type") == "string"
    return [value] if texts and value.strip() else None


def _of_objects(schema: Schema) -> bool:
    items = schema.get("items")
    return isinstance(items, dict) and ("$ref" in items or items.get("type") == "object")
