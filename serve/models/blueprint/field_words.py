"""Field phrases -> typed fields: "status (open, closed)", "price in EUR", "read or not"."""

from __future__ import annotations

import re

from serve.models.blueprint.app_model import Choice, Field, FieldKind
from serve.models.blueprint.lexicon import lexicon
from serve.models.blueprint.words import (
    ascii_words,
    camel,
    capital,
    safe_column,
    safe_key,
    snake,
)

_ARTICLES = re.compile(
    r"^(?:(?:an?|the|their|its|his|her|my|our|optional(?:ly)?|required|mandatory|unique|short|"
    r"ein|eine|einen|der|die|das|un|une|le|la|les|una|el|los|las|also|auch|new|neues|neue|nueva|nuevo)\s+)+",
    re.IGNORECASE,
)
_TAIL = re.compile(r"[^\w)）%€$£¥\"'”’]+$")  # an emoji or a stray mark at the end
_PARENS = re.compile(r"\s*[((](?P<inner>[^()()]*)[))]\s*")
_ASSIGNED = re.compile(r"^(?P<name>[^:=]{1,40}?)\s*[:=]\s*(?P<rest>.+)$")
_CHOICE_LIST = re.compile(r"^[^/|]{1,40}(?:\s*[/|]\s*[^/|]{1,40})+$")
_RANGE = re.compile(
    r"\b(?:from |von |de )?(?P<low>\d{1,6})\s*(?:-|–|to|bis|à|a)\s*(?P<high>\d{1,6})\b"
)
_TYPED = re.compile(
    r"\s+(?:as|of type|type|als|in)\s+(?:an?\s+)?(?P<type>[\w -]+)$"
    r"|\s+(?P<word>field|column|feld|champ|campo)$",
    re.IGNORECASE,
)
_WHETHER = re.compile(
    r"^(?:whether(?: or not)?|if|ob|si)\s+(?:it|they|he|she|es|sie|the \w+)?\s*"
    r"(?:is|are|was|has been|ist|est|está)?\s*",
    re.I,
)
_OR_NOT = re.compile(r"\s+(?:or not|or un\w+|oder nicht|ou non|o no)$", re.IGNORECASE)
_IS = re.compile(r"^(?:is|has|are|ist)\s+(?=\w)", re.IGNORECASE)
_CURRENCY = re.compile(
    r"\s*(?:\bin\s+)?(?:€|\$|£|¥|\b(?:eur|usd|gbp|chf|euros?|dollars?|pounds)\b)\s*$", re.I
)
_YES_NO = {
    "yes/no",
    "yes no",
    "true/false",
    "y/n",
    "ja/nein",
    "oui/non",
    "sí/no",
    "si/no",
    "yes or no",
}
_TYPE_NAMES = {
    "number": FieldKind.INTEGER,
    "whole number": FieldKind.INTEGER,
    "currency": FieldKind.MONEY,
    "eur": FieldKind.MONEY,
    "usd": FieldKind.MONEY,
    "euro": FieldKind.MONEY,
    "long": FieldKind.LONG_TEXT,
    "long text": FieldKind.LONG_TEXT,
    "multiline": FieldKind.LONG_TEXT,
    "short text": FieldKind.TEXT,
    "date and time": FieldKind.DATETIME,
    "date time": FieldKind.DATETIME,
    "date-time": FieldKind.DATETIME,
    "decimal number": FieldKind.DECIMAL,
    "e-mail": FieldKind.EMAIL,
    "yes/no": FieldKind.BOOLEAN,
    "flag": FieldKind.BOOLEAN,
    "checkbox": FieldKind.BOOLEAN,
    "web address": FieldKind.URL,
}
_STATUS = ("Open", "In progress", "Done")
_LEVELS = ("Low", "Medium", "High")


_HOW_MANY = re.compile(
    r"^(?:(?:anzahl|menge|cantidad|quantité|quantity|count of)\b|number of\s+\w+s$"
    r"|nombre d['\u2019]|nombre des\s|nombre de \w+[sx]$|n[uú]mero de \w+s$)",
    re.IGNORECASE,
)
_TIMES = ("hora", "heure", "uhrzeit", "time")


def field_kind(phrase: str) -> FieldKind | None:
    """What the words of a field name are known to mean; the last word decides."""
    words = lexicon().field_words
    low = phrase.strip().lower()
    if _HOW_MANY.match(low):
        return FieldKind.INTEGER
    joined = re.sub(r"[\s-]+", "_", low)
    for candidate in (joined, low, snake(low)):
        if candidate in words:
            return FieldKind(words[candidate])
    last = re.split(r"[\s_-]+", low)[-1] if low else ""
    if last in words:
        return FieldKind(words[last])
    for suffix, kind in (
        ("datum", FieldKind.DATE),
        ("preis", FieldKind.MONEY),
        ("nummer", FieldKind.TEXT),
    ):
        if last.endswith(suffix):
            return kind
    if low.endswith(" at") or low.endswith("_at"):
        return FieldKind.DATETIME
    if low.endswith(" on") or low.startswith(("date ", "datum ")):
        return FieldKind.DATE
    return None


def read_field(phrase: str) -> Field | None:
    """One field from its phrase; None when the phrase holds no name."""
    text = _ARTICLES.sub("", _TAIL.sub("", phrase.strip(" .,;")))
    optional = bool(re.match(r"(?:an?\s+)?optional", phrase.strip(), re.I))
    required = bool(re.match(r"(?:an?\s+)?(?:required|mandatory)", phrase.strip(), re.I))
    kind: FieldKind | None = None
    choices: tuple[Choice, ...] = ()
    low: int | None = None
    high: int | None = None
    inner = _PARENS.search(text)
    hint = inner["inner"].strip() if inner else ""
    if inner:
        text = (text[: inner.start()] + " " + text[inner.end() :]).strip()
    elif assigned := _ASSIGNED.match(text):
        text, hint = assigned["name"], assigned["rest"].strip()
    if not hint and text.lower().endswith((" yes/no", " true/false", " ja/nein")):
        text, kind = text.rpartition(" ")[0], FieldKind.BOOLEAN
    elif not hint and "/" in text and _CHOICE_LIST.match(text):
        first, _, rest = text.partition(" ")
        text, hint = (first, rest) if "/" in rest and "/" not in first else (text, hint)
    if hint:
        kind, choices, low, high, required, optional = _read_hint(hint, required, optional)
    text, kind = _read_shape(text, kind)
    if kind is None and (bounds := _RANGE.search(text)):
        kind, low, high = FieldKind.INTEGER, int(bounds["low"]), int(bounds["high"])
        text = text[: bounds.start()].strip()
    label = " ".join(re.sub(r"[^\w\s'’&%/-]+", " ", text).split())[:60].strip(" -/")
    if not label:
        return None
    kind = kind or field_kind(label) or FieldKind.TEXT
    if kind is FieldKind.CHOICE and not choices:
        labels = (
            _LEVELS
            if ascii_words(label) in ("priority", "severity", "prioritaet", "prioridad", "priorite")
            else _STATUS
        )
        choices = tuple(Choice(value=snake(c), label=c) for c in labels)
    return make_field(
        label,
        kind,
        required=(required or kind is FieldKind.CHOICE) and not optional,
        choices=choices,
        bounds=(low, high) if low is not None and high is not None and low < high else None,
    )


def time_of_day(field: Field, beside: tuple[Field, ...]) -> Field:
    """Beside a date of its own a time is the time of day ("18:30"); alone it is date and time."""
    dated = any(f.kind is FieldKind.DATE for f in beside)
    if dated and field.kind is FieldKind.DATETIME and field.label.lower() in _TIMES:
        return field.model_copy(update={"kind": FieldKind.TEXT})
    return field


def make_field(
    label: str,
    kind: FieldKind,
    *,
    required: bool = False,
    choices: tuple[Choice, ...] = (),
    target: str = "",
    bounds: tuple[int, int] | None = None,
) -> Field:
    stem = snake(label) or "field"
    if kind is FieldKind.REFERENCE and not stem.endswith("_id"):
        stem += "_id"
    name = safe_column(stem)
    return Field(
        name=name,
        key=safe_key(camel(name)),
        label=capital(label),
        kind=kind,
        required=required,
        choices=choices,
        target=target,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
    )


def _read_hint(
    hint: str, required: bool, optional: bool
) -> tuple[FieldKind | None, tuple[Choice, ...], int | None, int | None, bool, bool]:
    """What stands in parentheses or after a colon: choices, a type, a range, "optional"."""
    words = [w.strip() for w in hint.split(",")]
    optional = optional or "optional" in [w.lower() for w in words]
    required = required or "required" in [w.lower() for w in words]
    words = [w for w in words if w.lower() not in ("optional", "required", "unique")]
    rest = ", ".join(words)
    low_hint = rest.lower()
    if low_hint in _YES_NO:
        return FieldKind.BOOLEAN, (), None, None, required, optional
    if bounds := re.fullmatch(_RANGE, low_hint):
        return FieldKind.INTEGER, (), int(bounds["low"]), int(bounds["high"]), required, optional
    values = [v.strip(" \"'“”.") for v in re.split(r"\s*(?:[,/|]|\bor\b|\boder\b|\bou\b)\s*", rest)]
    values = [v for v in values if v and v.lower() not in ("e.g", "etc", "...")]
    if len(values) > 1:
        return FieldKind.CHOICE, _choices(values), None, None, required, optional
    return _type_named(low_hint), (), None, None, required, optional


def _choices(labels: list[str]) -> tuple[Choice, ...]:
    """Values are safe and distinct; labels stay as they were written."""
    found: dict[str, Choice] = {}
    for position, label in enumerate(labels[:20], 1):
        value = snake(label) or f"option_{position}"
        found.setdefault(value, Choice(value=value, label=capital(label)[:60]))
    return tuple(found.values())


def _type_named(text: str) -> FieldKind | None:
    text = text.strip().lower()
    if text in _TYPE_NAMES:
        return _TYPE_NAMES[text]
    known = lexicon().field_words.get(text.replace(" ", "_"))
    return FieldKind(known) if known and known != "choice" else None


def _read_shape(text: str, kind: FieldKind | None) -> tuple[str, FieldKind | None]:
    """Words around the name that tell its type."""
    if _WHETHER.match(text) and len(_WHETHER.sub("", text)) > 1:
        return _WHETHER.sub("", text), FieldKind.BOOLEAN
    if _OR_NOT.search(text):
        return _OR_NOT.sub("", text), FieldKind.BOOLEAN
    if _IS.match(text):
        return _IS.sub("", text), kind or FieldKind.BOOLEAN
    if _CURRENCY.search(text) and _CURRENCY.sub("", text):
        return _CURRENCY.sub("", text), kind or FieldKind.MONEY
    typed = _TYPED.search(text)
    if typed:
        if typed["word"]:
            return text[: typed.start()], kind
        named = _type_named(typed["type"])
        if named is not None:
            return text[: typed.start()], kind or named
    return text, kind
