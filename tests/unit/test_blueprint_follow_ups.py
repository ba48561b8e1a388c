"""A follow-up says several things at once; each is done, or named as not understood."""

from __future__ import annotations

import pytest

from serve.models.blueprint.app_model import FieldKind
from serve.models.blueprint.change import FollowUp, derive_change
from serve.models.blueprint.derive import derive
from serve.models.blueprint.field_words import field_kind
from serve.models.blueprint.parts import split_parts
from tests.unit.blueprint_driver import Build, scaffold_files

BOOKS = derive("Track books with title, author, year")


def kinds(found: FollowUp, entity: str) -> dict[str, str]:
    return {f.name: f.kind.value for f in found.model.entity(entity).fields}


@pytest.mark.parametrize("joint", [" and ", ", ", "; ", "\n", ". ", ", and then "])
def test_every_part_of_a_follow_up_is_done(joint: str) -> None:
    found = derive_change(f"rename author to writer{joint}add a rating from 1 to 5", BOOKS)
    assert kinds(found, "book") == {
        "title": "text",
        "writer": "text",
        "year": "integer",
        "rating": "integer",
    }
    rating = found.model.entity("book").field("rating")
    assert rating is not None
    assert (rating.low, rating.high) == (1, 5)
    assert [o.do for o in found.operations] == ["rename", "add"]
    assert found.remarks == ()


def test_one_verb_can_rename_several_columns() -> None:
    found = derive_change("rename author to writer and title to name", BOOKS)
    assert list(kinds(found, "book")) == ["name", "writer", "year"]


def test_words_in_quotes_and_in_names_are_no_new_part() -> None:
    for whole in (
        'Change the title to "Cut, and add salt"',
        "rename title to terms and conditions",
    ):
        assert split_parts(whole) == [whole]


@pytest.mark.parametrize(
    "relation",
    [
        "; a book has a publisher",
        ", each book belongs to a publisher",
        " and link books to publishers",
        ". Every book has one publisher.",
        "\nA publisher has many books",
        " and add a publisher to books",
    ],
)
def test_a_relation_adds_a_nullable_reference_beside_the_new_table(relation: str) -> None:
    found = derive_change(f"Add publishers with name, website and country{relation}", BOOKS)
    assert kinds(found, "publisher") == {"name": "text", "website": "url", "country": "text"}
    field = found.model.entity("book").field("publisher_id")
    assert field is not None
    assert (field.kind, field.target, field.required) == (FieldKind.REFERENCE, "publisher", False)
    assert [(o.do, o.entity) for o in found.operations] == [
        ("create", "publisher"),
        ("add", "book"),
    ]
    assert [e.name for e in found.model.entities] == ["publisher", "book"]
    assert found.remarks == ()


def test_a_relation_reaches_the_migration_the_form_the_list_and_the_tests() -> None:
    first = Build("Track books with title, author, year", scaffold_files())
    first.run()
    build = Build("Add publishers with name; a book has a publisher", first.files)
    build.run()
    assert not build.failed_edits
    sql = "".join(t for p, t in build.files.items() if p.startswith("db/migrations/0002"))
    assert sql.index("create table publishers") < sql.index("add column publisher_id bigint ref")
    assert "publisher_id bigint not null" not in sql
    assert "publishers.list" in build.files["src/pages/books/fields.ts"]
    assert "row.publisherLabel" in build.files["src/pages/books/List.tsx"]
    assert "publisherId" in build.files["tests/books.test.ts"]


def test_a_relation_may_stand_before_the_thing_it_names() -> None:
    found = derive_change("Each book belongs to a shelf. Add shelves with code", BOOKS)
    assert list(kinds(found, "shelf")) == ["code"]
    assert "shelf_id" in kinds(found, "book")


def test_a_circle_of_references_is_refused_and_named() -> None:
    linked = derive_change("Add publishers with name; a book has a publisher", BOOKS).model
    found = derive_change("each publisher belongs to a book", linked)
    assert found.operations == ()
    assert found.remarks == ("Not understood: “each publisher belongs to a book”.",)


def test_columns_of_a_table_made_by_the_same_build_are_made_once() -> None:
    found = derive_change("Add loans with name and add a phone to loans", BOOKS)
    assert [(o.do, o.entity) for o in found.operations] == [("create", "loan")]
    renamed = derive_change("add a rating and rename rating to score", BOOKS)
    assert [(o.do, o.field) for o in renamed.operations] == [("add", "score")]


def test_a_part_that_is_not_understood_is_named_in_the_plan() -> None:
    first = Build("Track books with title, author, year", scaffold_files())
    first.run()
    summary = Build("add a rating and rename it; make it pop", dict(first.files)).plan().summary
    assert "Add Rating (integer) to Books." in summary
    assert "Not understood: “make it pop”." in summary
    assert "Not understood: “dance”." in Build("dance", dict(first.files)).plan().summary


@pytest.mark.parametrize("wish", ["add dark mode", "Can you add a chart of books by year?"])
def test_a_wish_for_a_feature_is_named_and_makes_no_column(wish: str) -> None:
    found = derive_change(wish, BOOKS)
    assert found.operations == ()
    assert found.remarks == (f"Not understood: “{wish.strip('?')}”.",)


def test_a_thing_may_belong_to_two_others_and_a_please_is_no_column() -> None:
    said = (
        "Add shelves with code and loans with day; every loan belongs to a book and a shelf, please"
    )
    found = derive_change(said, BOOKS)
    assert {"book_id", "shelf_id"} <= set(kinds(found, "loan"))
    assert found.remarks == ()


@pytest.mark.parametrize(
    "label",
    [
        *("numero", "capacidad", "cantidad", "plazas", "edad", "Anzahl", "Anzahl der Kinder"),
        *("Menge", "Kapazität", "quantité", "nombre de places", "nombre d'invités", "capacité"),
    ],
)
def test_counting_words_of_other_languages_are_whole_numbers(label: str) -> None:
    assert field_kind(label) is FieldKind.INTEGER


def test_words_that_only_look_like_counts_stay_text() -> None:
    for label in ("nombre", "nombre de cliente", "número de teléfono"):
        assert field_kind(label) in (FieldKind.TEXT, None)


def test_a_time_beside_a_date_is_a_time_of_day() -> None:
    beside = derive("Canchas con numero, fecha, hora").entities[0]
    assert [f.kind.value for f in beside.fields][-2:] == ["date", "text"]
    joined = derive("Reservas con nombre, fecha y hora").entities[0]
    assert [f.kind.value for f in joined.fields] == ["text", "datetime"]


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("Eine Bibliothek", "Bibliothek"),
        ("Un gimnasio: clases con nombre; socios con nombre", "Gimnasio"),
        ("Eine Landingpage für ein Café", "Café"),
        ("Una página de aterrizaje para una panadería", "Panadería"),
        ("Landing page for the bakery", "Bakery"),
    ],
)
def test_a_title_is_the_messages_own_noun_without_its_article(message: str, title: str) -> None:
    assert derive(message).title == title


def test_a_landing_page_never_shows_the_message_itself() -> None:
    message = "Please make me a landing page for a coffee shop"
    build = Build(message, scaffold_files())
    build.run()
    said = build.files["src/play/landing.ts"]
    assert message not in said
    assert "Fresh food" in said
    assert said.count("{ title: ") == 3
    assert "repeat(3," in build.files["src/play/landing.css"]


def test_the_home_page_shows_counts_and_the_newest_rows() -> None:
    build = Build("Track books with title, author, year", scaffold_files())
    build.run()
    home = build.files["src/pages/HomePage.tsx"]
    assert "{total}" in home
    assert "{String(row.title)}" in home
    assert "/books/new" in home
