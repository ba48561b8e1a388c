"""Message -> app model: title, entities, fields, relations. Total: any text gives some app."""

from __future__ import annotations

import re
import unicodedata

from serve.models.blueprint.app_model import (
    AppModel,
    Choice,
    Entity,
    Field,
    FieldKind,
    Widget,
)
from serve.models.blueprint.field_words import (
    field_kind,
    make_field,
    read_field,
    time_of_day,
)
from serve.models.blueprint.grammar import (
    MAX_ENTITIES,
    MAX_FIELDS,
    Draft,
    is_app,
    mentioned,
    noun_of,
    read_message,
    tracked,
)
from serve.models.blueprint.lexicon import DomainEntry, EntityEntry, FieldEntry, lexicon
from serve.models.blueprint.words import (
    camel,
    capital,
    clean,
    is_plural,
    pascal,
    plural,
    safe_key,
    safe_table,
    singular,
    snake,
)

_CALLED = re.compile(
    r"(?:\b(?:called|named|titled|namens|genannt|appelée?|llamad[ao]|entitled)\s+|\btitle:\s*)"
    r"[\"“”'«„]?(?P<title>[^\"“”'»«\n.,;:!?]{2,60})",
    re.IGNORECASE,
)
_MINUTES = re.compile(r"(\d{1,3})\s*-?\s*(?:min|minute|minuten|minutos)", re.IGNORECASE)
_FOREIGN = re.compile(
    r"(?<!\w)(?:une?|una|el|los|las|les|ein|eine[nmrs]?|für|pour|para|mit|avec|con|gestión|gérer"
    r"|verwalte[nt]?|verwaltung)(?!\w)",
    re.IGNORECASE,
)
ARTICLES = re.compile(r"^(?:(?:une?|una|el|los|las|les?|la|eine?|der|die|das)\s+)+", re.IGNORECASE)
MAX_TITLE = 60
_WORDS = (FieldKind.TEXT, FieldKind.LONG_TEXT, FieldKind.EMAIL, FieldKind.URL)


def derive(message: str) -> AppModel:
    text = clean(message)
    widget = widget_of(text)
    reading = read_message(text)
    drafts = reading.drafts
    domain = domain_of(text)
    if widget is not Widget.NONE and not drafts:
        return _client(text, widget)
    drafts = _with_domain(drafts, domain)
    if not drafts:
        drafts = [Draft(name) for name in _things(text, domain)]
    if not drafts:
        return _client(text, Widget.LANDING)
    entities = build_entities(drafts, reading.relations)
    title = title_of(text, domain, entities)
    return AppModel(
        title=title, message=text[:2_000], widget=_playable(widget, entities), entities=entities
    )


def _playable(widget: Widget, entities: tuple[Entity, ...]) -> Widget:
    return widget if widget is not Widget.LANDING else Widget.NONE


def _client(text: str, widget: Widget) -> AppModel:
    minutes = _MINUTES.search(text)
    return AppModel(
        title=title_of(text, None, (), widget),
        message=text[:2_000],
        widget=widget,
        minutes=min(600, max(1, int(minutes[1]))) if minutes else 25,
    )


def widget_of(text: str) -> Widget:
    low = text.lower()
    for word, name in lexicon().widgets.items():
        if _contains(low, word):
            return Widget(name)
    return Widget.NONE


def is_foreign(text: str) -> bool:
    return bool(_FOREIGN.search(text))


def domain_word(text: str) -> str:
    """The message's own word for what it wants: "Bibliothek" rather than "Library"."""
    low = text.lower()
    return next((word for word in lexicon().domains if _contains(low, word)), "")


def domain_of(text: str) -> DomainEntry | None:
    low = text.lower()
    return next((d for word, d in lexicon().domains.items() if _contains(low, word)), None)


def _contains(text: str, word: str) -> bool:
    if word.isascii() or (word[0].isalpha() and ord(word[0]) < 0x3000):
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
    return word in text


def _with_domain(drafts: list[Draft], domain: DomainEntry | None) -> list[Draft]:
    """ "A CRM with name, email" means the first thing of a CRM has those fields."""
    merged: list[Draft] = []
    for draft in drafts:
        low = draft.noun.lower()
        if domain is not None and is_app(low) and low not in lexicon().entity_words:
            merged.append(Draft(lexicon().entities[domain.entities[0]].label, draft.items))
        else:
            merged.append(draft)
    return merged


def _things(text: str, domain: DomainEntry | None) -> list[str]:
    words = mentioned(text)
    named = list(words)
    if domain is not None:
        # Things named beside a domain refine it: "a booking system for courts".
        extra = [n for n in named if n not in domain.entities]
        if extra and "booking" in domain.entities:
            names = [*extra, "booking"]
        else:
            names = list(dict.fromkeys([*domain.entities, *named]))
        return [_spoken(n, words) for n in names[:MAX_ENTITIES]]
    found = [n for n in tracked(text) if n.lower() not in lexicon().entity_words]
    known = {w.lower() for n in found for w in n.split(" ")[:-1]}
    spoken = [_spoken(n, words) for n in named if n not in known]
    if spoken or found:
        return [*found, *spoken][:MAX_ENTITIES]
    return _lone_noun(text)


def _spoken(name: str, words: dict[str, str]) -> str:
    """The user's own word for a known thing, unless it is one of English's for it."""
    word = words.get(name, name)
    return name if singular(word) in lexicon().entities else word


def _lone_noun(text: str) -> list[str]:
    """A few words that end in a plural, one foreign word, or an emoji, name one thing."""
    noun = noun_of(text)
    if noun and is_plural(noun):
        return [noun]
    words = text.split()
    if len(words) == 1 and not words[0].isascii():
        named = _emoji_name(words[0])
        if named:
            return [named]
        return [words[0]] if words[0].isalpha() else []
    return []


def _emoji_name(text: str) -> str:
    """ "🍕" -> "pizza": Unicode's own name says what it shows."""
    for char in text:
        if unicodedata.category(char) == "So":
            words = unicodedata.name(char, "").lower().split()
            known = [w for w in words if w in lexicon().entity_words]
            return (known or words or [""])[-1].replace("-", " ")
    return ""


def build_entities(
    drafts: list[Draft],
    relations: list[tuple[str, str]],
    existing: tuple[Entity, ...] = (),
) -> tuple[Entity, ...]:
    """Typed entities, parents first. `existing` ones can be pointed at and are not built again."""
    taken = {e.table for e in existing}
    shells: list[tuple[Entity, Draft, EntityEntry | None]] = []
    for draft in drafts[:MAX_ENTITIES]:
        entry = entry_of(draft.noun)
        shell = name_entity(draft.noun, entry, len(existing) + len(shells) + 1)
        if shell.table in taken:
            continue
        taken.add(shell.table)
        shells.append((shell, draft, entry))
    known = {e.name: e for e in (*existing, *(s for s, _, _ in shells))}
    built = [
        shell.model_copy(update={"fields": _fields(shell, draft, entry, known)})
        for shell, draft, entry in shells
    ]
    built = [_related(e, relations, known) for e in built]
    return parents_first(built, existing)


def entry_of(noun: str) -> EntityEntry | None:
    lex = lexicon()
    low = noun.lower()
    name = low if low in lex.entities else lex.entity_words.get(low)
    name = name or lex.entity_words.get(singular(low))
    return lex.entities[name] if name else None


def name_entity(noun: str, entry: EntityEntry | None, number: int) -> Entity:
    """Every name an entity has, safe in SQL, TypeScript and URLs; labels stay as written."""
    label = singular(entry.label if entry and noun in lexicon().entities else noun).strip()
    label_plural = plural(label) if label.isascii() else noun
    fallback = entry.name if entry else f"item_{number}"
    stem = snake(label) or fallback
    table = safe_table(snake(label_plural) or snake(plural(fallback.replace("_", " "))))
    key = safe_key(camel(table))
    type_name = pascal(stem)
    if type_name.lower() in lexicon().reserved or not type_name[:1].isalpha():
        type_name += "Record"
    return Entity(
        name=stem,
        table=table,
        key=key,
        type_name=type_name,
        path=f"/{table.replace('_', '-')}",
        label=capital(label)[:60],
        label_plural=capital(label_plural)[:60],
        fields=(),
    )


def _fields(
    shell: Entity, draft: Draft, entry: EntityEntry | None, known: dict[str, Entity]
) -> tuple[Field, ...]:
    if draft.items:
        fields = [_said(phrase, shell, known) for phrase in draft.items]
        found = [f for f in fields if f is not None]
        if entry and entry.fields[0].label == "Name" and not any(f.kind in _WORDS for f in found):
            # "rooms with capacity": without a name nobody could choose one of them.
            found.insert(0, make_field("Name", FieldKind.TEXT, required=True))
    elif entry is not None:
        found = [f for f in (_usual(e, shell, known) for e in entry.fields) if f is not None]
    else:
        found = []
    if not found:
        found = [
            make_field("Name", FieldKind.TEXT, required=True),
            make_field("Description", FieldKind.LONG_TEXT),
        ]
    return settle([time_of_day(f, tuple(found)) for f in found])


def settle(found: list[Field]) -> tuple[Field, ...]:
    """Distinct names, and something required that names a row to a person."""
    unique: dict[str, Field] = {}
    for field in found[:MAX_FIELDS]:
        unique.setdefault(field.name, field)
    fields = list(unique.values())
    texts = [i for i, f in enumerate(fields) if f.kind in (FieldKind.TEXT, FieldKind.EMAIL)]
    if not any(fields[i].required for i in texts):
        usable = [i for i, f in enumerate(fields) if f.kind is not FieldKind.BOOLEAN]
        first = (texts or usable)[:1]
        if not first:
            fields.insert(0, make_field("Name", FieldKind.TEXT, required=True))
        else:
            fields[first[0]] = fields[first[0]].model_copy(update={"required": True})
    return tuple(fields)


def _said(phrase: str, shell: Entity, known: dict[str, Entity]) -> Field | None:
    field = read_field(phrase)
    if field is None:
        return None
    target = _target(field.label, known)
    if target is None or field.kind in (FieldKind.CHOICE, FieldKind.BOOLEAN):
        return field
    if target.name == shell.name:
        return field
    if is_plural(field.label):  # "projects with tasks": the task points back, see _related
        return None
    return make_field(field.label, FieldKind.REFERENCE, required=True, target=target.name)


def _target(label: str, known: dict[str, Entity]) -> Entity | None:
    name = snake(singular(label))
    if name in known:
        return known[name]
    entry = entry_of(label)
    if entry is not None and field_kind(label) is None:
        return known.get(entry.name)
    return next((e for e in known.values() if name.endswith(f"_{e.name}")), None)


def _usual(entry: FieldEntry, shell: Entity, known: dict[str, Entity]) -> Field | None:
    """A field the lexicon gives an entity of this kind."""
    if entry.kind == "ref":
        target = next((known[a] for a in entry.arguments if a in known and a != shell.name), None)
        if target is not None:
            label = target.label if entry.label in ("Resource", "With", "Customer") else entry.label
            return make_field(label, FieldKind.REFERENCE, required=True, target=target.name)
        if entry.label in ("Category", "Author", "Teacher", "Breed"):
            return make_field(entry.label, FieldKind.TEXT)
        return None
    kind = FieldKind(entry.kind)
    choices = tuple(Choice(value=snake(a), label=a) for a in entry.arguments)
    bounds = (
        (int(entry.arguments[0]), int(entry.arguments[1]))
        if kind is FieldKind.INTEGER and len(entry.arguments) == 2
        else None
    )
    return make_field(
        entry.label,
        kind,
        required=entry.required,
        choices=choices if kind is FieldKind.CHOICE else (),
        bounds=bounds,
    )


def _related(entity: Entity, relations: list[tuple[str, str]], known: dict[str, Entity]) -> Entity:
    fields = list(entity.fields)
    for child, parent in relations:
        target = _target(parent, known)
        source = _target(child, known)
        if source is None or target is None or source.name != entity.name or target is source:
            continue
        if all(f.target != target.name for f in fields) and target.name != entity.name:
            fields.append(
                make_field(target.label, FieldKind.REFERENCE, required=True, target=target.name)
            )
    kept = tuple({f.name: f for f in fields}.values())
    return entity.model_copy(update={"fields": kept})


def parents_first(built: list[Entity], existing: tuple[Entity, ...]) -> tuple[Entity, ...]:
    """A reference that would close a circle is left out: something has to exist first."""
    placed = {e.name for e in existing}
    ordered: list[Entity] = []
    waiting = list(built)
    while waiting:
        ready = next((e for e in waiting if {f.target for f in e.references} <= placed), None)
        entity = ready or waiting[0]
        waiting.remove(entity)
        if ready is None:
            kept = tuple(
                f for f in entity.fields if f.kind is not FieldKind.REFERENCE or f.target in placed
            )
            entity = entity.model_copy(update={"fields": settle(list(kept))})
        placed.add(entity.name)
        ordered.append(entity)
    return tuple(ordered)


def title_of(
    text: str,
    domain: DomainEntry | None,
    entities: tuple[Entity, ...],
    widget: Widget = Widget.NONE,
) -> str:
    called = _CALLED.search(text)
    if called:
        title = re.split(
            r"\s+(?:with|mit|avec|con|for|that|where|für)\s+", called["title"], maxsplit=1
        )[0]
        return capital(title.strip())[:MAX_TITLE]
    own = is_foreign(text)  # its own words then: an English title would stand out
    if domain is not None and own and (word := domain_word(text)):
        return capital(word)[:MAX_TITLE]
    if domain is not None and (not entities or any(_is_of(e, domain) for e in entities)):
        return domain.title
    if entities:
        labels = [e.label_plural for e in entities]
        second = [labels[1] if own else labels[1].lower()] if len(labels) > 1 else []
        return (" & " if own else " and ").join([labels[0], *second])[:MAX_TITLE]
    if widget not in (Widget.LANDING, Widget.NONE):
        return widget.value.capitalize()
    match = re.search(
        r"\b(?:for|für|pour|para)\s+(?:(?:an?|my|the|our|ein|eine[nmrs]?|mein\w*|unsere?n?|une?|una|le|la|les|el|los|las|mi|mon|ma)\s+)?(?P<what>[^.,;:!?\n]{2,50})",
        text,
        re.I,
    )
    what = match["what"] if match else noun_of(text) or text
    what = ARTICLES.sub("", " ".join(what.split()))[:MAX_TITLE].strip(" \"'“”«»")
    return capital(what) if any(c.isalnum() for c in what) else "Welcome"


def _is_of(entity: Entity, domain: DomainEntry) -> bool:
    entry = entry_of(entity.label)
    return entry is not None and entry.name in domain.entities
