"""The editor of an app model: each change as an operation of the schema and a note in words."""

from __future__ import annotations

from serve.models.blueprint.app_model import (
    AppModel,
    Entity,
    Field,
    FieldKind,
    Operation,
)
from serve.models.blueprint.derive import build_entities, entry_of, parents_first, settle
from serve.models.blueprint.field_words import field_kind, make_field, read_field, time_of_day
from serve.models.blueprint.grammar import Draft
from serve.models.blueprint.words import singular, snake


class Editor:
    """Collects the operations of one build on a copy of the model."""

    def __init__(self, model: AppModel) -> None:
        self.model = model
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self.focus = ""  # the entity named last: what "and add a rating" is about
        self._operations: list[Operation] = []
        self._created: set[str] = set()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """New tables first, parents before children: later steps may point at any of them."""
        creates = [e.name for e in self.model.entities if e.name in self._created]
        made = [Operation(do="create", entity=name) for name in creates]
        return (*made, *(o for o in self._operations if o.entity not in self._created))

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

    def main(self) -> Entity | None:
        """What a wish without a "to X" is about: the thing named last, else the app's own."""
        if self.focus:
            return self.model.entity(self.focus)
        message = self.model.message.lower()
        found = [
            (place, -len(e.name), e)
            for e in self.model.entities
            if (place := min(_places(message, e), default=-1)) >= 0
        ]
        first = min(found, key=lambda f: f[:2], default=None)
        return first[2] if first else next(iter(self.model.entities), None)

    def put(self, entity: Entity) -> None:
        entities = tuple(entity if e.name == entity.name else e for e in self.model.entities)
        self.model = self.model.model_copy(update={"entities": entities})
        self.focus = entity.name

    def already(self, label: str, entity: Entity) -> bool:
        self.remarks.append(f"Already there: {label} of {entity.label_plural}.")
        return True

    def add_field(self, entity: Entity, phrase: str) -> bool:
        field = self._field(entity, phrase)
        if field is None:
            return False
        if entity.field(field.name) is not None:
            return self.already(field.label, entity)
        field = time_of_day(field, entity.fields)
        self._add(entity, field)
        self.notes.append(f"Add {field.label} ({field.kind.value}) to {entity.label_plural}.")
        return True

    def _add(self, entity: Entity, field: Field) -> None:
        self.put(entity.model_copy(update={"fields": (*entity.fields, field)}))
        self._operations.append(Operation(do="add", entity=entity.name, field=field.name))

    def _field(self, entity: Entity, phrase: str) -> Field | None:
        field = read_field(phrase)
        if field is None:
            return None
        target = self.entity_named(field.label) if field_kind(field.label) is None else None
        if target is not None and not self._reaches(target, entity):
            self._place_first(target, entity)
            field = make_field(field.label, FieldKind.REFERENCE, target=target.name)
        # Rows that are there have no value for it, so only a choice (with a default) is required.
        return field.model_copy(
            update={"required": field.kind is FieldKind.CHOICE and field.required}
        )

    def _reaches(self, start: Entity, goal: Entity) -> bool:
        """Whether `start` points at `goal` over any number of steps: a way back closes a circle."""
        if start.name == goal.name:
            return True
        return any(self._reaches(self.model.entity(f.target), goal) for f in start.references)

    def _place_first(self, parent: Entity, child: Entity) -> None:
        order = [e.name for e in self.model.entities]
        if order.index(parent.name) < order.index(child.name):
            return
        others = [e for e in self.model.entities if e.name != child.name]
        place = others.index(parent) + 1
        entities = parents_first([*others[:place], child, *others[place:]], ())
        self.model = self.model.model_copy(update={"entities": entities})

    def relate(self, child: Entity, parent: Entity) -> bool:
        """A nullable reference: rows that are there point at nothing yet."""
        if any(f.target == parent.name for f in child.references):
            return self.already(parent.label, child)
        field = make_field(parent.label, FieldKind.REFERENCE, target=parent.name)
        if child.field(field.name) is not None or self._reaches(parent, child):
            return False
        self._place_first(parent, child)
        self._add(child, field)
        self.notes.append(f"Link {child.label_plural} to {parent.label_plural}.")
        return True

    def rename_field(self, entity: Entity, old: Field, new_label: str) -> bool:
        renamed = make_field(new_label.strip(), old.kind)
        if entity.field(renamed.name) is not None:
            return False
        update = {"name": renamed.name, "key": renamed.key, "label": renamed.label}
        fields = tuple(
            f.model_copy(update=update) if f.name == old.name else f for f in entity.fields
        )
        self.put(entity.model_copy(update={"fields": fields}))
        if not self._rewrite(entity, old, renamed.name):
            self._operations.append(
                Operation(do="rename", entity=entity.name, field=renamed.name, old_field=old.name)
            )
        self.notes.append(f"Rename {old.label} of {entity.label_plural} to {renamed.label}.")
        return True

    def _rewrite(self, entity: Entity, old: Field, name: str) -> bool:
        """A column made or renamed by this very build is made under its last name."""
        for index, operation in enumerate(self._operations):
            if (operation.entity, operation.field) == (entity.name, old.name):
                self._operations[index] = operation.model_copy(update={"field": name})
                return True
        return False

    def remove_field(self, entity: Entity, old: Field) -> bool:
        kept = [f for f in entity.fields if f.name != old.name]
        if not kept or old == entity.display:
            return False  # a row without a name could not be told from another
        self.put(entity.model_copy(update={"fields": settle(kept)}))
        made = [o for o in self._operations if (o.entity, o.field) == (entity.name, old.name)]
        self._operations = [o for o in self._operations if o not in made]
        first = made[0].old_field if made else old.name
        if first:
            self._operations.append(Operation(do="remove", entity=entity.name, old_field=first))
        self.notes.append(f"Remove {old.label} from {entity.label_plural}.")
        return True

    def add_entities(self, drafts: list[Draft]) -> bool:
        new = build_entities(drafts, [], self.model.entities)
        for entity in new:
            entities = (*self.model.entities, entity)
            self.model = self.model.model_copy(update={"entities": entities})
            self._created.add(entity.name)
            self.focus = entity.name
            self.notes.append(f"Add {entity.label_plural}.")
        return bool(new)

    def find_field(self, label: str, where: str | None) -> tuple[Entity, Field] | None:
        name = snake(label)
        chosen = self.entity_named(where)
        entities = [chosen] if chosen else list(self.model.entities)
        for entity in sorted(entities, key=lambda e: e.name != self.focus):
            for field in entity.fields:
                if name in (field.name, snake(field.label), field.name.removesuffix("_id")):
                    return entity, field
        return None


def _places(message: str, entity: Entity) -> list[int]:
    words = (entity.label.lower(), entity.label_plural.lower())
    return [place for word in words if (place := message.find(word)) >= 0]
