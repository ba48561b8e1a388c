"""App model -> the files blueprint owns in a project, rightly or with one planned mistake."""

from __future__ import annotations

import json

from serve.models.blueprint.app_model import (
    NOTES_PATH,
    AppModel,
    Change,
    Entity,
    Operation,
    Widget,
)
from serve.models.blueprint.code_pages import edit_page, fields_file, list_page, new_page
from serve.models.blueprint.code_play import play_files
from serve.models.blueprint.code_server import procedures, records, router
from serve.models.blueprint.code_shell import app_file, dashboard, navigation
from serve.models.blueprint.code_sql import migration
from serve.models.blueprint.code_tests import entity_tests, examples
from serve.models.blueprint.fault import Fault
from serve.models.blueprint.render import fill

PLACEHOLDER_TEST = "tests/placeholder.test.ts"
TYPE_ERROR = "\nexport const menuLength: number = String(navigation.length);\n"


def faulty_entity(model: AppModel) -> Entity | None:
    """The last one: nothing else points at it."""
    return model.entities[-1] if model.entities else None


def files_of(model: AppModel, fault: Fault = Fault.NONE) -> dict[str, str]:
    """Every file but migrations, README and index.html, by path."""
    last = faulty_entity(model)
    files = {
        NOTES_PATH: notes_file(model),
        "server/router.ts": router(model),
        "src/navigation.ts": navigation(model),
        "src/App.tsx": app_file(
            model,
            without_edit=last.name if last and fault is Fault.MISSING_PROCEDURE else "",
            blank=fault is Fault.BLANK_PAGE,
        ),
    }
    if fault is Fault.TYPE_ERROR:
        files["src/navigation.ts"] += TYPE_ERROR
    if model.widget is not Widget.NONE:
        wrong = fault is Fault.FAILING_TEST and last is None
        files |= play_files(model, wrong_test=wrong)
    if model.entities:
        files["src/pages/HomePage.tsx"] = dashboard(model)
        files["src/pages/home.css"] = fill("home.css")
        files["server/search.ts"] = fill("search.ts")
        files["tests/examples.ts"] = examples(model)
    for entity in model.entities:
        files |= _entity_files(model, entity, fault if entity == last else Fault.NONE)
    return files


def notes_file(model: AppModel) -> str:
    """The model as JSON, one field a line: short enough to be read in one go, good to compare."""
    head = model.model_dump(mode="json", exclude={"entities"}, exclude_defaults=True)
    entities = []
    for entity in model.entities:
        names = entity.model_dump(mode="json", exclude={"fields"})
        fields = [f.model_dump(mode="json", exclude_defaults=True) for f in entity.fields]
        lines = ",\n   ".join(_json(f) for f in fields)
        entities.append(f'  {_json(names)[:-1]}, "fields": [\n   {lines}\n  ]}}')
    body = ",\n".join(entities)
    listed = f'"entities": [\n{body}\n ]' if entities else '"entities": []'
    return f"{_json(head)[:-1]},\n {listed}\n}}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _entity_files(model: AppModel, entity: Entity, fault: Fault) -> dict[str, str]:
    whole = fault is not Fault.MISSING_PROCEDURE
    pages = f"src/pages/{entity.key}"
    files = {
        f"server/records/{entity.key}.ts": records(
            model, entity, with_update=whole, broken_get=fault is Fault.SERVER_ERROR
        ),
        f"server/procedures/{entity.key}.ts": procedures(entity, with_update=whole),
        f"{pages}/fields.ts": fields_file(model, entity),
        f"{pages}/List.tsx": list_page(model, entity, with_edit=whole),
        f"{pages}/New.tsx": new_page(entity),
        f"tests/{entity.key}.test.ts": entity_tests(
            model, entity, with_update=whole, wrong=fault is Fault.FAILING_TEST
        ),
    }
    return files | ({f"{pages}/Edit.tsx": edit_page(entity)} if whole else {})


def migrations_of(
    change: Change, fault: Fault = Fault.NONE, mended: bool = False
) -> dict[str, str]:
    """The build's migrations. Mending `missing-table` adds one: the first may be applied."""
    if not change.migration:
        return {}
    if fault is not Fault.MISSING_TABLE:
        return {change.migration: migration(change, change.operations)}
    written, left_out = split_operations(change)
    files = {change.migration: migration(change, written) or "select 1; -- nothing to do yet\n"}
    if mended:
        files[second_migration(change)] = migration(change, left_out)
    return files


def split_operations(change: Change) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    """(what the faulty migration does, what it forgets): the last table, else the last step."""
    creates = [o for o in change.operations if o.do == "create"]
    forgotten = (creates or list(change.operations))[-1]
    return tuple(o for o in change.operations if o != forgotten), (forgotten,)


def second_migration(change: Change) -> str:
    folder, _, name = change.migration.rpartition("/")
    return f"{folder}/{int(name[:4]) + 1:04d}_add_what_was_missing.sql"


def faulty_words(change: Change, fault: Fault) -> frozenset[str]:
    """What evidence of the mistake must name: the files, procedures, tables it was made in."""
    last = faulty_entity(change.model)
    if fault is Fault.TYPE_ERROR:
        return frozenset({"src/navigation.ts"})
    if fault is Fault.BLANK_PAGE:
        return frozenset({"/"})
    if last is None:
        return frozenset({f"tests/{change.model.widget.value}.test.ts"})
    words = {
        Fault.MISSING_PROCEDURE: {f"{last.key}.update"},
        Fault.MISSING_TABLE: {last.table, last.key},
        Fault.FAILING_TEST: {f"tests/{last.key}.test.ts", f"{last.key}.create"},
        Fault.SERVER_ERROR: {f"{last.key}.get"},
    }
    return frozenset(words.get(fault, set()))


def text_edits(change: Change) -> tuple[tuple[str, str, str], ...]:
    """(path, old, new) in files of the scaffold that only carry the title."""
    old = change.previous.title if change.previous else "New app"
    new = change.model.title
    if old == new:
        return ()
    return (
        ("README.md", f"# {_one_line(old)}\n", f"# {_one_line(new)}\n"),
        ("index.html", f"<title>{_html(old)}</title>", f"<title>{_html(new)}</title>"),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _html(text: str) -> str:
    return _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
