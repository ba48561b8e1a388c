"""Tests for every procedure, and the valid records they are made of."""

from __future__ import annotations

from serve.models.blueprint.app_model import AppModel, Entity, Field, FieldKind
from serve.models.blueprint.code_names import add_name, example_name, example_value, not_null
from serve.models.blueprint.render import fill, literal

_CHANGEABLE = (FieldKind.TEXT, FieldKind.LONG_TEXT, FieldKind.MONEY, FieldKind.INTEGER)


def examples(model: AppModel) -> str:
    functions = []
    for entity in model.entities:
        lines = [f"    {f.key}: {_example(model, f)}," for f in entity.fields]
        functions.append(
            fill(
                "example.ts",
                example=example_name(entity),
                add=add_name(entity),
                key=entity.key,
                values="\n".join(lines),
            )
        )
    return fill("examples.ts", functions="".join(functions).rstrip("\n"))


def _example(model: AppModel, field: Field) -> str:
    if field.kind is FieldKind.REFERENCE:
        return f"(await {add_name(model.entity(field.target))}()).id"
    written = literal(example_value(field))
    return f"{written} as const" if field.kind is FieldKind.CHOICE else written


def entity_tests(
    model: AppModel, entity: Entity, *, with_update: bool = True, wrong: bool = False
) -> str:
    names = {"key": entity.key, "example": example_name(entity), "add": add_name(entity)}
    used = sorted({names["example"], names["add"]})
    return fill(
        "test.ts",
        **names,
        imports=", ".join(used),
        a_label=_words(f"a {entity.label.lower()}"),
        expected_id="2" if wrong else "1",
        bad_value=_bad_value(entity),
        reference_test="".join(
            fill(
                "test_reference.ts",
                key=entity.key,
                example=names["example"],
                field=f.key,
                label=_words(f.label.lower()),
            )
            for f in entity.references
        ),
        search_test=_search_test(entity),
        filter_test="".join(_filter_test(entity, f) for f in entity.filters),
        update_test=fill("test_update.ts", **names, change=_change(entity)) if with_update else "",
    )


def _words(text: str) -> str:
    """Inside a test's name, which is a plain string."""
    return text.replace("\\", " ").replace('"', "'")


def _bad_value(entity: Entity) -> str:
    field = next(
        (f for f in entity.fields if not_null(f) and f.kind is not FieldKind.BOOLEAN), None
    )
    assert field is not None, "every entity has a required field"
    if field.kind in (FieldKind.INTEGER, FieldKind.REFERENCE):
        return f"{field.key}: 0.5"
    if field.kind is FieldKind.CHOICE:
        return f'{field.key}: "" as never'
    return f'{field.key}: ""'


def _search_test(entity: Entity) -> str:
    field = next((f for f in entity.searchable if f.kind is FieldKind.TEXT), None)
    field = field or (entity.searchable[0] if entity.searchable else None)
    if field is None:
        return ""
    term = str(example_value(field)).split("\n", maxsplit=1)[0].upper()
    return fill("test_search.ts", key=entity.key, add=add_name(entity), term=literal(term))


def _filter_test(entity: Entity, field: Field) -> str:
    if field.kind is FieldKind.CHOICE:
        others = [c.value for c in field.choices if c.value != example_value(field)]
        if not others:
            return ""
        other = literal(others[0])
    elif field.kind is FieldKind.BOOLEAN:
        other = literal(not example_value(field))
    else:
        other = "999_999"
    return fill(
        "test_filter.ts",
        key=entity.key,
        add=add_name(entity),
        field=field.key,
        label=_words(field.label.lower()),
        bang="" if not_null(field) else "!",
        other=other,
    )


def _change(entity: Entity) -> str:
    """One field with another valid value; a reference keeps its first one."""
    field = next((f for f in entity.fields if f.kind in _CHANGEABLE), None)
    field = field or next(f for f in entity.fields if f.kind is not FieldKind.REFERENCE)
    value = literal(example_value(field, 2))
    return f"{field.key}: {value}{' as const' if field.kind is FieldKind.CHOICE else ''}"
