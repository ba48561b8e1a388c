"""The server side: records (SQL), procedures (validation), the router."""

from __future__ import annotations

from serve.models.blueprint.app_model import AppModel, Entity, Field, FieldKind
from serve.models.blueprint.code_names import (
    label_key,
    not_null,
    plural_type,
    router_name,
    ts_type,
)
from serve.models.blueprint.render import fill, literal

_ZOD = {
    FieldKind.TEXT: "text",
    FieldKind.LONG_TEXT: "longText",
    FieldKind.INTEGER: "integer",
    FieldKind.DECIMAL: "decimal",
    FieldKind.MONEY: "money",
    FieldKind.BOOLEAN: "boolean",
    FieldKind.DATE: "date",
    FieldKind.DATETIME: "dateTime",
    FieldKind.CHOICE: "choice",
    FieldKind.EMAIL: "email",
    FieldKind.URL: "url",
    FieldKind.REFERENCE: "reference",
}
_FILTER_SQL = {FieldKind.BOOLEAN: "boolean", FieldKind.REFERENCE: "bigint"}


def records(
    model: AppModel, entity: Entity, *, with_update: bool = True, broken_get: bool = False
) -> str:
    names = [f.name for f in entity.fields]
    values = ", ".join(f"values.{f.key}" for f in entity.fields)
    conditions, parameters = _conditions(entity)
    shared = {"type": entity.type_name, "table": entity.table, "insert_values": values}
    update = fill(
        "records_update.ts",
        **shared,
        assignments=", ".join(f"{n} = ${i}" for i, n in enumerate(names, 2)),
    )
    return fill(
        "records.ts",
        **shared,
        labels=_comment(entity.label_plural),
        search_import='import { containing } from "../search.ts";\n' if entity.searchable else "",
        plural_type=plural_type(entity),
        row_fields="\n".join(_row_lines(entity.fields)),
        value_fields="\n".join(f"  {f.key}: {ts_type(f)};" for f in entity.fields),
        filter_fields="".join(
            f"  {f.key}?: {ts_type(f).removesuffix(' | null')};\n" for f in entity.filters
        ),
        columns=",\n         ".join(_columns(model, entity)),
        joins="".join(_joins(model, entity)),
        conditions=conditions,
        parameters=", ".join(parameters),
        insert_columns=", ".join(names),
        insert_places=", ".join(f"${i}" for i in range(1, len(names) + 1)),
        update=update if with_update else "",
        # The fault `server-error`: a column that no table has.
        id_column="identifier" if broken_get else "id",
    )


def procedures(entity: Entity, *, with_update: bool = True) -> str:
    what = literal(entity.label[:1].lower() + entity.label[1:])
    plural = plural_type(entity)
    type_name = entity.type_name
    used = {_ZOD[f.kind] for f in (*entity.fields, *entity.filters)} | {"idInput", "listInput"}
    used |= {"optional"} if any(not not_null(f) for f in entity.fields) else set()
    used |= {"reference"} if with_update else set()
    imports = [f"create{type_name}", f"delete{type_name}", f"get{type_name}", f"list{plural}"]
    imports += [f"update{type_name}"] if with_update else []
    filters = [f"{f.key}: {_schema(f, bare=True)}.optional()" for f in entity.filters]
    update = fill("procedures_update.ts", type=type_name, what=what)
    return fill(
        "procedures.ts",
        labels_low=_comment(entity.label_plural.lower()),
        field_imports=", ".join(sorted(used)),
        record_imports="\n".join(f"  {name}," for name in sorted(imports)),
        key=entity.key,
        schema="\n".join(f"  {f.key}: {_schema(f)}," for f in entity.fields),
        router_name=router_name(entity),
        list_input=f"listInput.extend({{ {', '.join(filters)} }})" if filters else "listInput",
        plural_type=plural,
        type=type_name,
        what=what,
        update=update if with_update else "",
    )


def router(model: AppModel) -> str:
    imports = sorted(
        f'import {{ {router_name(e)} }} from "./procedures/{e.key}.ts";\n' for e in model.entities
    )
    entries = "".join(f"\n  {e.key}: {router_name(e)}," for e in model.entities)
    return fill("router.ts", imports="".join(imports), entries=f"{entries}\n" if entries else "")


def _comment(text: str) -> str:
    return text.replace("\n", " ").replace("*/", "")


def _row_lines(fields: tuple[Field, ...]) -> list[str]:
    lines: list[str] = []
    for field in fields:
        lines.append(f"  {field.key}: {ts_type(field)};")
        if field.kind is FieldKind.REFERENCE:
            lines.append(f"  {label_key(field)}: string | null;")
    return lines


def _columns(model: AppModel, entity: Entity) -> list[str]:
    columns = [f"{entity.table}.id"]
    for field in entity.fields:
        source = f"{entity.table}.{field.name}"
        columns.append(source if field.key == field.name else f'{source} as "{field.key}"')
        if field.kind is FieldKind.REFERENCE:
            shown = model.entity(field.target).display.name
            columns.append(f'{_alias(field)}.{shown}::text as "{label_key(field)}"')
    return [*columns, f'{entity.table}.created_at as "createdAt"']


def _joins(model: AppModel, entity: Entity) -> list[str]:
    return [
        f"\n  left join {model.entity(f.target).table} as {_alias(f)}"
        f" on {_alias(f)}.id = {entity.table}.{f.name}"
        for f in entity.references
    ]


def _alias(field: Field) -> str:
    return f"{field.name.removesuffix('_id')}_row"


def _conditions(entity: Entity) -> tuple[str, list[str]]:
    conditions: list[str] = []
    parameters: list[str] = []
    if entity.searchable:
        parameters.append("containing(filter.search)")
        matches = [f"{entity.table}.{f.name} ilike $1" for f in entity.searchable]
        conditions.append(f"($1::text is null or {' or '.join(matches)})")
    for field in entity.filters:
        parameters.append(f"filter.{field.key} ?? null")
        place = f"${len(parameters)}::{_FILTER_SQL.get(field.kind, 'text')}"
        conditions.append(f"({place} is null or {entity.table}.{field.name} = {place})")
    joined = "\n    and ".join(conditions)
    return (f"\n  where {joined}" if conditions else ""), parameters


def _schema(field: Field, *, bare: bool = False) -> str:
    schema = f"{_ZOD[field.kind]}()"
    if field.kind is FieldKind.CHOICE:
        schema = f"choice([{', '.join(literal(c.value) for c in field.choices)}])"
    if field.low is not None and field.high is not None:
        schema = f"{schema}.min({field.low}).max({field.high})"
    return schema if bare or not_null(field) else f"optional({schema})"
