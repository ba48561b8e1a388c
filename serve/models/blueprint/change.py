"""A follow-up message -> what changes in an app that is there."""

from __future__ import annotations

from serve.models.blueprint.app_model import (
    AppModel,
    Change,
    Entity,
    Field,
    FieldKind,
    Operation,
)
from serve.models.blueprint.derive import build_entities, entry_of, settle
from serve.models.blueprint.field_words import field_kind, make_field, read_field
from serve.models.blueprint.grammar import (
    Draft,
    clauses,
    is_thing,
    noun_of,
    read_message,
    split_list,
)
from serve.models.blueprint.lexicon import change_pattern
from serve.models.blueprint.words import capital, clean, is_plural, singular, snake

QUOTES = ('"', "”", "“", "'", "’", "»", "„")
_TITLE = change_pattern("title")
_RENAMING = change_pattern("renaming")
_RENAME = change_pattern("rename")
_REMOVE = change_pattern("remove")
_ADD = change_pattern("add")
_TO = change_pattern("to")
_ALSO = change_pattern("also")
_TRACK = change_pattern("track")
_NEW_THING = change_pattern("new_thing")


class _Editor:
    """Collects the operations of one build on a copy of the model."""

    def __init__(self, model: AppModel) -> None:
        self.model = model
        self.operations: list[Operation] = []
        self.notes: list[str] = []

    def entity_named(self, word: str | None) -> Entity | None:
        name = snake(singular(word)) if word else ""
        for entity in self.model.entities:
            if name and name in (entity.name, entity.table, snake(singular(entity.table))):
                return entity
        entry = entry_of(word) if word else None
        for entity in self.model.entities:
            known = entry_of(entity.label)
            if entry is not None and known is not None and entry.name == known.name:
                return entity
        return None

    def put(self, entity: Entity) -> None:
        entities = tuple(entity if e.name == entity.name else e for e in self.model.entities)
        self.model = self.model.model_copy(update={"entities": entities})

    def add_field(self, entity: Entity, phrase: str) -> bool:
        field = self._field(entity, phrase)
        if field is None or entity.field(field.name) is not None:
            return False
        self.put(entity.model_copy(update={"fields": (*entity.fields, field)}))
        self.operations.append(Operation(do="add", entity=entity.name, field=field.name))
        self.notes.append(f"Add {field.label} ({field.kind.value}) to {entity.label_plural}.")
        return True

    def _field(self, entity: Entity, phrase: str) -> Field | None:
        field = read_field(phrase)
        if field is None:
            return None
        target = self.entity_named(field.label) if field_kind(field.label) is None else None
        position = {e.name: i for i, e in enumerate(self.model.entities)}
        if target is not None and position[target.name] < position[entity.name]:
            field = make_field(field.label, FieldKind.REFERENCE, target=target.name)
        # Rows that are there have no value for it, so only a choice (with a default) is required.
        return field.model_copy(
            update={"required": field.kind is FieldKind.CHOICE and field.required}
        )

    def rename_field(self, entity: Entity, old: Field, new_label: str) -> bool:
        renamed = make_field(new_label.strip(), old.kind)
        if entity.field(renamed.name) is not None:
            return False
        update = {"name": renamed.name, "key": renamed.key, "label": renamed.label}
        fields = tuple(
            f.model_copy(update=update) if f.name == old.name else f for f in entity.fields
        )
        self.put(entity.model_copy(update={"fields": fields}))
        self.operations.append(
            Operation(do="rename", entity=entity.name, field=renamed.name, old_field=old.name)
        )
        self.notes.append(f"Rename {old.label} of {entity.label_plural} to {renamed.label}.")
        return True

    def remove_field(self, entity: Entity, old: Field) -> bool:
        kept = [f for f in entity.fields if f.name != old.name]
        if not kept or old == entity.display:
            return False  # a row without a name could not be told from another
        self.put(entity.model_copy(update={"fields": settle(kept)}))
        self.operations.append(Operation(do="remove", entity=entity.name, old_field=old.name))
        self.notes.append(f"Remove {old.label} from {entity.label_plural}.")
        return True

    def add_entities(self, drafts: list[Draft]) -> bool:
        new = build_entities(drafts, [], self.model.entities)
        for entity in new:
            entities = (*self.model.entities, entity)
            self.model = self.model.model_copy(update={"entities": entities})
            self.operations.append(Operation(do="create", entity=entity.name))
            self.notes.append(f"Add {entity.label_plural}.")
        return bool(new)

    def find_field(self, label: str, where: str | None) -> tuple[Entity, Field] | None:
        name = snake(label)
        chosen = self.entity_named(where)
        for entity in [chosen] if chosen else list(self.model.entities):
            for field in entity.fields:
                if name in (field.name, snake(field.label), field.name.removesuffix("_id")):
                    return entity, field
        return None


def derive_change(
    message: str, previous: AppModel
) -> tuple[AppModel, tuple[Operation, ...], tuple[str, ...]]:
    """(the new model, schema operations, notes in plain words). No notes: nothing understood."""
    editor = _Editor(previous)
    text = clean(message)
    # A quoted title may hold a full stop: it is read before sentences are.
    quoted = "\n" not in text and text.rstrip(".!").endswith(QUOTES) and _TITLE.match(text)
    for clause in [text] if quoted else clauses(text):
        _apply(editor, clause)
    return editor.model, tuple(editor.operations), tuple(editor.notes)


def _apply(editor: _Editor, clause: str) -> None:
    # "rename title to subject" is about a field that is there, else about the app's title.
    if match := _RENAME.search(clause):
        found = editor.find_field(match["old"], match["where"] or match["where2"])
        renames = not _TITLE.match(clause) or _RENAMING.match(clause)
        if found and renames and editor.rename_field(found[0], found[1], match["new"]):
            return
    if match := _TITLE.match(clause):
        title = capital(clean(match["title"]).strip(" \"'“”«»"))[:60]
        editor.model = editor.model.model_copy(update={"title": title})
        editor.notes.append(f"Change the title to {title}.")
        return
    if match := _REMOVE.search(clause):
        found = editor.find_field(match["old"], match["where"])
        if found and editor.remove_field(*found):
            return
    if match := _ADD.search(clause):
        _add(editor, match["what"])
    elif match := _TRACK.match(clause):
        _add_things(editor, match["what"])
    elif match := _ALSO.match(clause):
        entity = editor.entity_named(noun_of(match["where"]))
        for part in split_list(match["what"]) if entity else []:
            current = editor.entity_named(noun_of(match["where"]))
            if current is not None:
                editor.add_field(current, part)
    else:
        drafts = [d for d in read_message(clause).drafts if editor.entity_named(d.noun) is None]
        if drafts:
            editor.add_entities(drafts)


def _add(editor: _Editor, what: str) -> None:
    if any(d.items and is_plural(d.noun) for d in read_message(what).drafts) and _add_things(
        editor, what
    ):
        return
    to = _TO.search(what)
    entity = editor.entity_named(to["where"]) if to else None
    if to is not None and entity is not None:
        for part in split_list(what[: to.start()]):
            editor.add_field(editor.model.entity(entity.name), part)
        return
    if _add_things(editor, what):
        return
    main = editor.model.entities[0] if editor.model.entities else None
    for part in split_list(what) if main else []:
        assert main is not None
        editor.add_field(editor.model.entity(main.name), part)


def _add_things(editor: _Editor, what: str) -> bool:
    new = _NEW_THING.match(what)
    text = new["noun"] if new else what
    drafts = [d for d in read_message(text).drafts if d.noun]
    if not drafts:
        nouns = [noun_of(part) for part in split_list(text)]
        drafts = [Draft(n) for n in nouns if n and (new or _is_new_thing(n))]
    drafts = [d for d in drafts if editor.entity_named(d.noun) is None]
    return bool(drafts) and editor.add_entities(drafts)


def _is_new_thing(noun: str) -> bool:
    return is_thing(noun) and (is_plural(noun) or field_kind(noun) is None)


def first_change(model: AppModel, first_number: int) -> Change:
    """The change of a first build: everything is created."""
    operations = tuple(Operation(do="create", entity=e.name) for e in model.entities)
    path = f"db/migrations/{first_number:04d}_create_tables.sql" if operations else ""
    return Change(model=model, operations=operations, migration=path)
