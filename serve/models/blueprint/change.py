"""A follow-up message -> what changes in an app that is there."""

from __future__ import annotations

from dataclasses import dataclass

from serve.models.blueprint.app_model import AppModel, Change, Operation
from serve.models.blueprint.editor import Editor
from serve.models.blueprint.field_words import field_kind
from serve.models.blueprint.grammar import (
    Draft,
    clauses,
    is_thing,
    noun_of,
    read_message,
    split_list,
)
from serve.models.blueprint.lexicon import change_pattern
from serve.models.blueprint.parts import Relation, read_relation, split_parts
from serve.models.blueprint.words import capital, clean, is_plural

QUOTES = ('"', "”", "“", "'", "’", "»", "„")
_TITLE = change_pattern("title")
_RENAMING = change_pattern("renaming")
_RENAME = change_pattern("rename")
_REMOVE = change_pattern("remove")
_ADD = change_pattern("add")
_TO = change_pattern("to")
_ALSO = change_pattern("also")
_TRACK = change_pattern("track")
_FEATURE = change_pattern("feature")
_NEW_THING = change_pattern("new_thing")


@dataclass(frozen=True)
class FollowUp:
    """`notes` say what changes, `remarks` what does not and why. No notes: nothing changes."""

    model: AppModel
    operations: tuple[Operation, ...]
    notes: tuple[str, ...]
    remarks: tuple[str, ...]


def derive_change(message: str, previous: AppModel) -> FollowUp:
    editor = Editor(previous)
    text = clean(message)
    # A quoted title may hold a full stop: it is read before sentences are.
    quoted = "\n" not in text and text.rstrip(".!").endswith(QUOTES) and _TITLE.match(text)
    parts = [text] if quoted else [p for c in clauses(text) for p in split_parts(c)]
    later: list[tuple[str, Relation]] = []
    for part in parts:
        relation = read_relation(part)
        if relation is not None:
            later.append((part, relation))  # the things it names may be added further on
        elif not _apply(editor, part):
            _not_understood(editor, part)
    for part, relation in later:
        if not _relate(editor, relation) and not _apply(editor, part):
            _not_understood(editor, part)
    return FollowUp(editor.model, editor.operations, tuple(editor.notes), tuple(editor.remarks))


def _not_understood(editor: Editor, part: str) -> None:
    editor.remarks.append(f"Not understood: “{' '.join(part.split()).strip(' .!?')[:200]}”.")


def _relate(editor: Editor, relation: Relation) -> bool:
    """A link of two things; "a book has a colour and a publisher" adds a plain field too."""
    child = editor.entity_named(relation.child)
    if relation.said:
        return child is not None and _add_fields(editor, child.name, relation.said)
    parent = editor.entity_named(relation.parent)
    for noun, known in ((relation.child, child), (relation.parent, parent)):
        if known is None and not (
            noun and (child or parent) and editor.add_entities([Draft(noun)])
        ):
            return False
    child, parent = editor.entity_named(relation.child), editor.entity_named(relation.parent)
    return child is not None and parent is not None and editor.relate(child, parent)


def _add_fields(editor: Editor, name: str, said: str) -> bool:
    done = [editor.add_field(editor.model.entity(name), part) for part in split_list(said)]
    return any(done)


def _apply(editor: Editor, part: str) -> bool:
    # "rename title to subject" is about a field that is there, else about the app's title.
    if match := _RENAME.search(part):
        found = editor.find_field(match["old"], match["where"] or match["where2"])
        renames = not _TITLE.match(part) or _RENAMING.match(part)
        if found and renames and editor.rename_field(found[0], found[1], match["new"]):
            return True
    if match := _TITLE.match(part):
        title = capital(clean(match["title"]).strip(" \"'“”«»"))[:60]
        editor.model = editor.model.model_copy(update={"title": title})
        editor.notes.append(f"Change the title to {title}.")
        return True
    if match := _REMOVE.search(part):
        return _remove(editor, match["old"], match["where"])
    if match := _ADD.search(part):
        return _add(editor, match["what"])
    if match := _TRACK.match(part):
        return _add_pieces(editor, match["what"], things=True)
    if match := _ALSO.match(part):
        entity = editor.entity_named(noun_of(match["where"]))
        return entity is not None and _add_fields(editor, entity.name, match["what"])
    return _add_drafts(editor, read_message(part).drafts)


def _remove(editor: Editor, what: str, where: str | None) -> bool:
    found = editor.find_field(what, where)
    if found:
        return editor.remove_field(*found)
    done = False
    labels = split_list(what)
    for label in labels if len(labels) > 1 else []:
        found = editor.find_field(label, where)
        if found and editor.remove_field(*found):
            done = True
        else:
            _not_understood(editor, f"remove {label}")
    return done or len(labels) > 1


def _add_drafts(editor: Editor, drafts: list[Draft]) -> bool:
    """Things with their fields; of a thing that is there, the fields it lacks."""
    done = False
    for draft in drafts:
        known = editor.entity_named(draft.noun)
        if known is None:
            done |= editor.add_entities([draft])
        for item in draft.items if known else []:
            assert known is not None
            done |= editor.add_field(editor.model.entity(known.name), item)
    return done


def _add(editor: Editor, what: str) -> bool:
    drafts = [d for d in read_message(what).drafts if d.items]
    if drafts and all(is_plural(d.noun) or editor.entity_named(d.noun) is None for d in drafts):
        # Of the last piece only: in "name and a customer" the "a" is no Spanish "to".
        to = _TO.search((split_list(what) or [""])[-1])
        if to is None or editor.entity_named(to["where"]) is None:
            return _add_drafts(editor, drafts)
    return _add_pieces(editor, what)


def _add_pieces(editor: Editor, what: str, *, things: bool = False) -> bool:
    """ "a rating and notes to books, suppliers": fields to what is named, new things."""
    drafts = [d for d in read_message(what).drafts if d.items] if things else []
    if drafts:
        return _add_drafts(editor, drafts)
    done = False
    waiting: list[str] = []
    for piece in split_list(what):
        to = _TO.search(piece)
        entity = editor.entity_named(to["where"]) if to else None
        if to is not None and entity is not None:
            for phrase in [*waiting, piece[: to.start()]]:
                done |= _add_one(editor, phrase, entity.name)
            waiting = []
        else:
            waiting.append(piece)
    missed = [p for p in waiting if not _add_one(editor, p, "", things=things)]
    done |= len(missed) < len(waiting)
    for phrase in missed if done else []:
        _not_understood(editor, phrase)
    return done


def _add_one(editor: Editor, phrase: str, entity: str, *, things: bool = False) -> bool:
    new = None if entity else _NEW_THING.match(phrase)
    noun = noun_of(new["noun"] if new else phrase)
    fresh = noun and not entity and editor.entity_named(noun) is None
    if fresh and (new or things or _is_new_thing(noun)):
        return editor.add_entities([Draft(noun)])
    if not entity and _FEATURE.search(phrase):
        return False  # "add dark mode" is no column
    main = editor.model.entity(entity) if entity else editor.main()
    return main is not None and not things and editor.add_field(main, phrase)


def _is_new_thing(noun: str) -> bool:
    return is_thing(noun) and (is_plural(noun) or field_kind(noun) is None)


def first_change(model: AppModel, first_number: int) -> Change:
    """The change of a first build: everything is created."""
    operations = tuple(Operation(do="create", entity=e.name) for e in model.entities)
    path = f"db/migrations/{first_number:04d}_create_tables.sql" if operations else ""
    return Change(model=model, operations=operations, migration=path)
