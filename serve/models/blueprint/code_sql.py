"""The migration of one build: the schema's operations as plain SQL."""

from __future__ import annotations

from serve.models.blueprint.app_model import Change, Entity, Field, FieldKind, Operation
from serve.models.blueprint.code_names import not_null
from serve.models.blueprint.render import sql_text

_TYPES = {
    FieldKind.TEXT: "text",
    FieldKind.LONG_TEXT: "text",
    FieldKind.INTEGER: "integer",
    FieldKind.DECIMAL: "numeric(16, 4)",
    FieldKind.MONEY: "numeric(14, 2)",
    FieldKind.BOOLEAN: "boolean",
    FieldKind.DATE: "date",
    FieldKind.DATETIME: "timestamptz",
    FieldKind.CHOICE: "text",
    FieldKind.EMAIL: "text",
    FieldKind.URL: "text",
    FieldKind.REFERENCE: "bigint",
}
_MAX_LENGTH = {
    FieldKind.TEXT: 200,
    FieldKind.LONG_TEXT: 10_000,
    FieldKind.EMAIL: 254,
    FieldKind.URL: 2_000,
}


def columns_of(entity: Entity) -> tuple[str, ...]:
    """As `_create` writes them."""
    return ("id", *(f.name for f in entity.fields), "created_at")


def migration(change: Change, operations: tuple[Operation, ...]) -> str:
    return "\n".join(_statement(change, operation) for operation in operations)


def _statement(change: Change, operation: Operation) -> str:
    entity = change.model.entity(operation.entity)
    if operation.do == "create":
        return _create(change, entity)
    if operation.do == "rename":
        renaming = f"rename column {operation.old_field} to {operation.field}"
        return f"alter table {entity.table} {renaming};\n"
    if operation.do == "remove":
        return f"alter table {entity.table} drop column {operation.old_field};\n"
    field = entity.field(operation.field)
    assert field is not None, "an added field is in the model"
    added = f"alter table {entity.table} add column {_column(change, entity, field)};\n"
    return added + "\n".join(_indexes(entity, (field,)))


def _create(change: Change, entity: Entity) -> str:
    columns = [
        "id bigint generated always as identity primary key",
        *(_column(change, entity, f) for f in entity.fields),
        "created_at timestamptz not null default now()",
    ]
    body = ",\n  ".join(columns)
    listed = f"create index on {entity.table} (created_at desc, id desc);\n"
    indexes = "".join(_indexes(entity, entity.fields))
    return f"create table {entity.table} (\n  {body}\n);\n{listed}{indexes}"


def _column(change: Change, entity: Entity, field: Field) -> str:
    parts = [field.name, _TYPES[field.kind]]
    if not_null(field):
        parts.append("not null")
    if field.kind is FieldKind.BOOLEAN:
        parts.append("default false")
    elif field.kind is FieldKind.CHOICE and field.required:
        parts.append(f"default {sql_text(field.choices[0].value)}")
    if field.kind is FieldKind.REFERENCE:
        parts.append(f"references {change.model.entity(field.target).table} (id)")
    check = _check(field)
    return " ".join([*parts, f"check ({check})"] if check else parts)


def _check(field: Field) -> str:
    if field.kind is FieldKind.CHOICE:
        return f"{field.name} in ({', '.join(sql_text(c.value) for c in field.choices)})"
    if field.low is not None and field.high is not None:
        return f"{field.name} between {field.low} and {field.high}"
    if field.kind in _MAX_LENGTH:
        return f"length({field.name}) <= {_MAX_LENGTH[field.kind]}"
    return ""


def _indexes(entity: Entity, fields: tuple[Field, ...]) -> list[str]:
    return [
        f"create index on {entity.table} ({f.name});\n"
        for f in fields
        if f.kind in (FieldKind.REFERENCE, FieldKind.CHOICE)
    ]
