"""The browser side of one entity: its form, its list, the pages to create and to edit."""

from __future__ import annotations

from serve.models.blueprint.app_model import AppModel, Entity, Field, FieldKind
from serve.models.blueprint.code_names import in_sentence, label_key, not_null, options_name
from serve.models.blueprint.render import (
    fill,
    jsx_attribute,
    jsx_text,
    literal,
)

_FORM_KIND = {FieldKind.LONG_TEXT: "longText", FieldKind.DATETIME: "dateTime"}
_FORMATS = {
    FieldKind.INTEGER: "formatNumber",
    FieldKind.DECIMAL: "formatNumber",
    FieldKind.MONEY: "formatMoney",
    FieldKind.BOOLEAN: "formatBoolean",
    FieldKind.DATE: "formatDate",
    FieldKind.DATETIME: "formatDateTime",
}
_AT_END = (FieldKind.INTEGER, FieldKind.DECIMAL, FieldKind.MONEY)
MAX_COLUMNS = 7


def fields_file(model: AppModel, entity: Entity) -> str:
    options = [
        f"\nexport const {options_name(f)} = [\n"
        + "".join(
            f"  {{ value: {literal(c.value)}, label: {literal(c.label)} }},\n" for c in f.choices
        )
        + "] as const;\n"
        for f in entity.fields
        if f.kind is FieldKind.CHOICE
    ]
    references = entity.references
    queries = [
        f"  const {f.key}Query = useQuery(trpc.{model.entity(f.target).key}.list"
        ".queryOptions({ limit: 1_000 }));\n"
        for f in references
    ]
    imports = 'import { useQuery } from "@tanstack/react-query";\n' if references else ""
    return fill(
        "fields.ts",
        labels_low=entity.label_plural.lower().replace("\n", " "),
        imports=imports,
        trpc_import="{ trpc, type Inputs }" if references else "type { Inputs }",
        type=entity.type_name,
        key=entity.key,
        options="".join(options),
        queries="".join(queries),
        specs="\n".join(_spec(model, f) for f in entity.fields),
    )


def _spec(model: AppModel, field: Field) -> str:
    kind = _FORM_KIND.get(field.kind, field.kind.value)
    parts = [f"name: {literal(field.key)}", f"label: {literal(field.label)}", f'kind: "{kind}"']
    if not_null(field):
        parts.append("required: true")
    if field.low is not None and field.high is not None:
        parts.append(f"min: {field.low}, max: {field.high}")
    if field.kind is FieldKind.CHOICE:
        parts.append(f"options: {options_name(field)}")
    if field.kind is not FieldKind.REFERENCE:
        return f"    {{ {', '.join(parts)} }},"
    target = model.entity(field.target)
    rows = f"{field.key}Query.data?.rows"
    hint = literal(f"There is no {in_sentence(target.label)} yet: create one first.")
    parts.append(f"hint: {rows}.length === 0 ? {hint} : undefined")
    label = f"String(row.{target.display.key})"
    parts.append(f"options: ({rows} ?? []).map((row) => ({{ value: row.id, label: {label} }}))")
    lines = "".join(f"      {part},\n" for part in parts)
    return f"    {{\n{lines}    }},"


def list_page(model: AppModel, entity: Entity, *, with_edit: bool = True) -> str:
    shown = _columns_of(entity)
    formats = sorted({_FORMATS[f.kind] for f in shown if f.kind in _FORMATS})
    formats += ["formatChoice"] if any(f.kind is FieldKind.CHOICE for f in shown) else []
    choices = [f for f in entity.fields if f.kind is FieldKind.CHOICE]
    used = [options_name(f) for f in choices]
    filters, search = entity.filters, bool(entity.searchable)
    toolbar = _toolbar(model, entity)
    names = [*(["FilterSelect"] if filters else []), *(["SearchBox"] if search else []), "Toolbar"]
    conditions = [
        *(['search !== ""'] if search else []),
        *(f"{f.key} !== undefined" for f in filters),
    ]
    title = entity.label_plural
    return fill(
        "list.tsx",
        badge_import=_import(["Badge"], "../../components/Badge.tsx")
        if any(f.kind is FieldKind.CHOICE for f in shown)
        else "",
        toolbar_import=_import(names, "../../components/Toolbar.tsx") if toolbar else "",
        format_import=_import(sorted(formats), "../../format.ts") if formats else "",
        options_import=_import(sorted(used), "./fields.ts") if used else "",
        key=entity.key,
        type=entity.type_name,
        columns="\n".join(_column(f) for f in shown),
        states="".join(_states(entity)),
        queries="".join(_filter_queries(model, entity)),
        inputs="".join(_inputs(entity)),
        filtered=" || ".join(conditions) or "false",
        title=jsx_attribute(title),
        path=entity.path,
        new_text=jsx_text(f"New {in_sentence(entity.label)}"),
        toolbar=toolbar,
        nothing_found=literal("Nothing matches the search and filters."),
        nothing_yet=literal(f"No {in_sentence(title)} yet."),
        first_text=jsx_text(f"Create the first {in_sentence(entity.label)}"),
        display=entity.display.key,
        edit_link=fill("edit_link.tsx", path=entity.path) if with_edit else "",
    )


def new_page(entity: Entity) -> str:
    defaults = [
        f"{f.key}: {literal(f.choices[0].value)}"
        for f in entity.fields
        if f.kind is FieldKind.CHOICE and f.required
    ]
    return fill(
        "new.tsx",
        type=entity.type_name,
        key=entity.key,
        path=entity.path,
        title=jsx_attribute(f"New {in_sentence(entity.label)}"),
        initial=f"{{ {', '.join(defaults)} }}" if defaults else "{}",
    )


def edit_page(entity: Entity) -> str:
    return fill(
        "edit.tsx",
        type=entity.type_name,
        key=entity.key,
        path=entity.path,
        title=jsx_attribute(f"Edit {in_sentence(entity.label)}"),
    )


def _import(names: list[str], source: str) -> str:
    return f'import {{ {", ".join(names)} }} from "{source}";\n'


def _columns_of(entity: Entity) -> list[Field]:
    """Long texts stay in the form; a table has only so much room."""
    short = [f for f in entity.fields if f.kind is not FieldKind.LONG_TEXT]
    return (short or list(entity.fields))[:MAX_COLUMNS]


def _column(field: Field) -> str:
    value = f"row.{field.key}"
    cell = f"{_FORMATS[field.kind]}({value})" if field.kind in _FORMATS else value
    if field.kind is FieldKind.CHOICE:
        shown = f'formatChoice({value}, {options_name(field)}) ?? ""'
        cell = f"<Badge>{{{shown}}}</Badge>"
        cell = cell if field.required else f"{value} && {cell}"
    elif field.kind is FieldKind.REFERENCE:
        cell = f"row.{label_key(field)}"
    elif field.kind is FieldKind.URL:
        link = f'<a href={{{value}}} target="_blank" rel="noreferrer">{{{value}}}</a>'
        cell = link if field.required else f"{value} && {link}"
    elif field.kind is FieldKind.EMAIL:
        link = f"<a href={{`mailto:${{{value}}}`}}>{{{value}}}</a>"
        cell = link if field.required else f"{value} && {link}"
    align = ', align: "end"' if field.kind in _AT_END else ""
    return f"  {{ header: {literal(field.label)}, cell: (row) => {cell}{align} }},"


def _states(entity: Entity) -> list[str]:
    states = ['  const [search, setSearch] = useState("");\n'] if entity.searchable else []
    for field in entity.filters:
        kind = "string"
        if field.kind is FieldKind.CHOICE:
            kind = f'(typeof {options_name(field)})[number]["value"]'
        elif field.kind is FieldKind.BOOLEAN:
            kind = '"yes" | "no"'
        states.append(f"  const [{field.key}, {_setter(field)}] = useState<{kind}>();\n")
    return states


def _setter(field: Field) -> str:
    return f"set{field.key[:1].upper()}{field.key[1:]}"


def _filter_queries(model: AppModel, entity: Entity) -> list[str]:
    return [
        f"  const {f.key}Query = useQuery(trpc.{model.entity(f.target).key}.list"
        ".queryOptions({ limit: 1_000 }));\n"
        for f in entity.references
    ]


def _inputs(entity: Entity) -> list[str]:
    inputs = ["search: search || undefined, "] if entity.searchable else []
    for field in entity.filters:
        if field.kind is FieldKind.CHOICE:
            inputs.append(f"{field.key}, ")
        elif field.kind is FieldKind.BOOLEAN:
            inputs.append(f'{field.key}: {field.key} && {field.key} === "yes", ')
        else:
            inputs.append(f"{field.key}: {field.key} ? Number({field.key}) : undefined, ")
    return inputs


def _toolbar(model: AppModel, entity: Entity) -> str:
    parts = (
        ["        <SearchBox value={search} onChange={setSearch} />\n"] if entity.searchable else []
    )
    for field in entity.filters:
        options = options_name(field)
        if field.kind is FieldKind.BOOLEAN:
            options = '[{ value: "yes", label: "Yes" }, { value: "no", label: "No" }]'
        elif field.kind is FieldKind.REFERENCE:
            shown = f"String(row.{model.entity(field.target).display.key})"
            options = (
                f"({field.key}Query.data?.rows ?? [])"
                f".map((row) => ({{ value: String(row.id), label: {shown} }}))"
            )
        parts.append(
            f"        <FilterSelect\n          label={jsx_attribute(field.label)}\n"
            f"          value={{{field.key}}}\n          options={{{options}}}\n"
            f"          onChange={{{_setter(field)}}}\n        />\n"
        )
    return f"      <Toolbar>\n{''.join(parts)}      </Toolbar>\n" if parts else ""
