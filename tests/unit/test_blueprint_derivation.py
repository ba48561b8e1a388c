"""What blueprint makes of messages: pure, total, deterministic."""

from __future__ import annotations

import pytest

from serve.models.blueprint.app_model import AppModel, FieldKind, Widget
from serve.models.blueprint.change import first_change
from serve.models.blueprint.derive import derive
from serve.models.blueprint.field_words import read_field
from serve.models.blueprint.lexicon import lexicon
from serve.models.blueprint.plan import make_plan


def tables(model: AppModel) -> list[str]:
    return [e.table for e in model.entities]


def kinds(model: AppModel, entity: str) -> dict[str, str]:
    return {f.name: f.kind.value for f in model.entity(entity).fields}


CRM = (
    "Build a CRM: customers with name, email and phone; "
    "deals with amount, stage (lead, won, lost) and a customer"
)


def test_said_fields_choices_and_relations_are_taken_as_they_are() -> None:
    model = derive(CRM)
    assert tables(model) == ["customers", "deals"]
    assert kinds(model, "customer") == {"name": "text", "email": "email", "phone": "text"}
    assert kinds(model, "deal") == {
        "amount": "money",
        "stage": "choice",
        "customer_id": "reference",
    }
    stage = model.entity("deal").field("stage")
    assert stage is not None
    assert [c.value for c in stage.choices] == ["lead", "won", "lost"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Track books: title, author, year, read or not", ["books"]),
        ("A booking system for rooms", ["rooms", "bookings"]),
        ("inventory", ["suppliers", "products"]),
        ("Ein Rezeptbuch: Rezepte mit Titel, Zutaten und Zubereitung", ["rezepte"]),
        ("Une application pour gérer des livres avec titre, auteur et année", ["livres"]),
        ("gestión de clientes con nombre, correo y teléfono", ["clientes"]),
        ("Учёт книг: название, автор, год", ["knig"]),
        ("客户", ["customers"]),
        ("🍕", ["pizzas"]),
        ("I want to track my meteorites", ["meteorites"]),
        ("A shop with products and orders", ["products", "orders"]),
        ("A vet clinic", ["owners", "pets", "visits"]),
        ("Projects:\n- name\n- budget in EUR\nTasks:\n- title\n- project", ["projects", "tasks"]),
        ("Each grade belongs to a student. Students: name. Grades: score", ["students", "grades"]),
    ],
)
def test_messages_of_many_kinds_give_the_tables_they_mean(
    message: str, expected: list[str]
) -> None:
    assert tables(derive(message)) == expected


@pytest.mark.parametrize(
    ("message", "widget"),
    [
        ("A pomodoro timer", Widget.TIMER),
        ("Stoppuhr", Widget.STOPWATCH),
        ("a click counter", Widget.COUNTER),
        ("calculadora", Widget.CALCULATOR),
        ("🎲", Widget.DICE),
        ("A quiz about capitals", Widget.QUIZ),
        ("Landing page for a coffee shop", Widget.LANDING),
        ("hello", Widget.LANDING),
    ],
)
def test_a_message_without_entities_gives_a_page_and_no_tables(
    message: str, widget: Widget
) -> None:
    model = derive(message)
    assert model.widget is widget
    assert model.entities == ()


@pytest.mark.parametrize(
    ("phrase", "kind"),
    [
        ("price in EUR", FieldKind.MONEY),
        ("due date", FieldKind.DATE),
        ("starts at", FieldKind.DATETIME),
        ("e-mail", FieldKind.EMAIL),
        ("a website", FieldKind.URL),
        ("rating from 1 to 5", FieldKind.INTEGER),
        ("whether it is paid", FieldKind.BOOLEAN),
        ("read or not", FieldKind.BOOLEAN),
        ("status: open/closed", FieldKind.CHOICE),
        ("size (S, M, L)", FieldKind.CHOICE),
        ("weight", FieldKind.DECIMAL),
        ("description", FieldKind.LONG_TEXT),
        ("Geburtsdatum", FieldKind.DATE),
        ("nickname", FieldKind.TEXT),
    ],
)
def test_a_field_gets_the_type_its_words_mean(phrase: str, kind: FieldKind) -> None:
    field = read_field(phrase)
    assert field is not None
    assert field.kind is kind


NASTY = [
    "Orders with user, group, select and class; users with email and new",
    "function, class, new; select (group, order, user)",
    "Tables with id, created_at, search and limit",
    '{"}`${x}` with "quo\'ted", `back`, <b> and {c}',
    "x",
    "....",
    "ビール と 寿司",
    "مرحبا بالعالم",
    "a" * 5000,
    "things with " + ", ".join(f"field {i}" for i in range(100)),
    "A with B; B with A; as with bs; bs with as",
    "authors with books; books with authors",
    "🏳️‍🌈👩‍👩‍👧",
    "1234 with 5678 and 90",
]


@pytest.mark.parametrize("message", NASTY)
def test_any_message_gives_a_valid_plan_with_safe_names(message: str) -> None:
    model = derive(message)
    plan = make_plan(first_change(model, 1))
    assert plan.title
    assert "not a language model" in plan.summary
    for entity in model.entities:
        assert entity.table not in lexicon().reserved
        assert entity.type_name.isidentifier()
        assert entity.key.isidentifier()
        for field in entity.fields:
            assert field.name not in lexicon().reserved
            assert field.key.isidentifier()
            assert field.name not in ("id", "created_at")


def test_the_same_message_gives_the_same_model() -> None:
    assert derive(CRM) == derive(CRM)


def test_parents_are_created_before_and_deleted_after_their_children() -> None:
    names = [p.name for p in make_plan(first_change(derive(CRM), 1)).contract.procedures]
    assert names.index("customers.create") < names.index("deals.create")
    assert names.index("deals.delete") < names.index("customers.delete")
    assert names.index("deals.update") < names.index("deals.delete")
