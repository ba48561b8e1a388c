"""Names that several pieces of the generated code agree on."""

from __future__ import annotations

from serve.models.blueprint.app_model import Entity, Field, FieldKind
from serve.models.blueprint.words import pascal


def plural_type(entity: Entity) -> str:
    """The plural in function names; it must differ from the singular."""
    name = pascal(entity.table)
    return f"{name}List" if name == entity.type_name else name


def router_name(entity: Entity) -> str:
    return f"{entity.key}Router"


def label_key(field: Field) -> str:
    """The property that carries the words for a reference: customerId -> customerLabel."""
    return f"{field.key.removesuffix('Id')}Label"


def options_name(field: Field) -> str:
    return f"{field.key}Options"


def example_name(entity: Entity) -> str:
    return f"example{entity.type_name}"


def add_name(entity: Entity) -> str:
    return f"add{entity.type_name}"


def ts_type(field: Field) -> str:
    """The type of a row's value."""
    kinds = {
        FieldKind.INTEGER: "number",
        FieldKind.REFERENCE: "number",
        FieldKind.BOOLEAN: "boolean",
    }
    base = kinds.get(field.kind, "string")
    if field.kind is FieldKind.CHOICE:
        base = " | ".join(f'"{c.value}"' for c in field.choices)
    return base if not_null(field) else f"{base} | null"


def not_null(field: Field) -> bool:
    return field.required or field.kind is FieldKind.BOOLEAN


def example_value(field: Field, number: int = 1) -> object:
    """A valid value as JSON; `number` varies it."""
    label = field.label if len(field.label) <= 40 else field.label[:40]
    low = field.low if field.low is not None else 0
    high = field.high if field.high is not None else 10**6
    values: dict[FieldKind, object] = {
        FieldKind.TEXT: f"{label} {number}",
        FieldKind.LONG_TEXT: f"{label}, first line.\nAnd a second one ({number}).",
        FieldKind.INTEGER: min(high, max(low, 3 + number)),
        FieldKind.DECIMAL: f"{number}.2500",
        FieldKind.MONEY: f"{number}9.90",
        FieldKind.BOOLEAN: number % 2 == 0,
        FieldKind.DATE: f"2026-0{number}-15",
        FieldKind.DATETIME: f"2026-0{number}-15T09:30:00.000Z",
        FieldKind.EMAIL: f"person{number}@example.com",
        FieldKind.URL: f"https://example.com/{number}",
        FieldKind.REFERENCE: 1,
    }
    if field.kind is FieldKind.CHOICE:
        return field.choices[(number - 1) % len(field.choices)].value
    return values[field.kind]


def in_sentence(label: str) -> str:
    """In the middle of a sentence; an abbreviation stays."""
    return label if label[:2].isupper() else label[:1].lower() + label[1:]
