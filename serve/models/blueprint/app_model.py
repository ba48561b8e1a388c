"""What blueprint knows about an app: the machine-readable model it plans and writes code from."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from fleet.domain.frozen import Frozen

NOTES_PATH = ".appfleet/blueprint.json"


class FieldKind(StrEnum):
    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    EMAIL = "email"
    URL = "url"
    REFERENCE = "reference"


class Choice(Frozen):
    value: str
    label: str


class Field(Frozen):
    """`name` is the column; `key` the property in code; `label` the words of the user.

    `target` is the name of the entity a reference points at. `low`/`high` bound numbers.
    """

    name: str
    key: str
    label: str
    kind: FieldKind
    required: bool = False
    choices: tuple[Choice, ...] = ()
    target: str = ""
    low: int | None = None
    high: int | None = None


class Entity(Frozen):
    """`name` is the singular ("customer"), `table` the plural and the router's stem."""

    name: str
    table: str
    key: str  # router key and file stem: "purchaseOrders"
    type_name: str  # "PurchaseOrder"
    path: str  # "/purchase-orders"
    label: str
    label_plural: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)

    @property
    def display(self) -> Field:
        """The field that names a row to a person."""
        for field in self.fields:
            if field.kind in (FieldKind.TEXT, FieldKind.EMAIL) and field.required:
                return field
        return self.fields[0]

    @property
    def references(self) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if f.kind is FieldKind.REFERENCE)

    @property
    def searchable(self) -> tuple[Field, ...]:
        kinds = (FieldKind.TEXT, FieldKind.LONG_TEXT, FieldKind.EMAIL, FieldKind.URL)
        return tuple(f for f in self.fields if f.kind in kinds)

    @property
    def filters(self) -> tuple[Field, ...]:
        kinds = (FieldKind.CHOICE, FieldKind.BOOLEAN, FieldKind.REFERENCE)
        return tuple(f for f in self.fields if f.kind in kinds)


class Widget(StrEnum):
    """A client page without tables."""

    NONE = ""
    LANDING = "landing"
    TIMER = "timer"
    STOPWATCH = "stopwatch"
    COUNTER = "counter"
    CALCULATOR = "calculator"
    DICE = "dice"
    QUIZ = "quiz"


class AppModel(Frozen):
    """`widget` is what the home page plays; `entities` stand parents first."""

    title: str
    message: str = ""
    widget: Widget = Widget.NONE
    minutes: int = 25  # of a timer
    entities: tuple[Entity, ...] = ()

    def entity(self, name: str) -> Entity:
        return next(e for e in self.entities if e.name == name)


class Operation(Frozen):
    """One change of the schema, in the order the migration makes them."""

    do: Literal["create", "add", "rename", "remove"]
    entity: str
    field: str = ""
    old_field: str = ""


class Change(Frozen):
    """What one build does: from `previous` (None on a first build) to `model`.

    `understood` is False when no change could be derived from the message.
    """

    model: AppModel
    previous: AppModel | None = None
    operations: tuple[Operation, ...] = ()
    migration: str = ""  # path of the new migration, "" when the schema stays
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()  # parts of the message that change nothing, and why
    understood: bool = True
