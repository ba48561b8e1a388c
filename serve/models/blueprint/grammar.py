"""Messages -> drafts: which things are named, and which fields they are said to have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from serve.models.blueprint.field_words import field_kind
from serve.models.blueprint.lexicon import lexicon
from serve.models.blueprint.words import ascii_words, clean, is_plural, singular, snake

MAX_ENTITIES = 8
MAX_FIELDS = 24
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d+[.)])\s+")
_SENTENCE = re.compile(r"(?<=[.!?。!?])\s+|[;;]\s*|。")
_WORD = re.compile(r"[^\W_][\w'’&/+-]*")
_CALL = re.compile(
    r"^(?P<noun>[^():,]{2,40}?)\s*\((?P<list>[^()]*,[^()]*(?:\([^()]*\)[^()]*)*)\)\s*\.?$"
)
_DATE_AND_TIME = re.compile(
    r"\b(date|datum|fecha) (?:and|&|und|et|y) (time|uhrzeit|heure|hora)\b", re.IGNORECASE
)
_BELONGS = re.compile(
    r"(?:each|every|an?|jede[rs]?|chaque|cada)\s+(?P<child>[\w -]{2,40}?)\s+"
    r"(?:belongs to|is for|has one|has an?|gehört zu(?: einem| einer)?|appartient à)\s+"
    r"(?:exactly |only )?(?:one |an? |un |une )?(?P<parent>[\w-]{2,30})\s*\.?$",
    re.IGNORECASE,
)
_HAS_MANY = re.compile(
    r"(?:each|every|an?|jede[rs]?|chaque|cada)\s+(?P<parent>[\w -]{2,40}?)\s+"
    r"(?:has|have|can have|hat)\s+(?:many|several|multiple|viele|mehrere)\s+"
    r"(?P<child>[\w-]{2,30})\s*\.?$",
    re.IGNORECASE,
)


@dataclass
class Draft:
    """A thing by its noun; `items` are the phrases of its fields, empty when none were given."""

    noun: str
    items: list[str] = field(default_factory=list)


@dataclass
class Reading:
    drafts: list[Draft] = field(default_factory=list)
    relations: list[tuple[str, str]] = field(default_factory=list)  # (child noun, parent noun)


def read_message(message: str) -> Reading:
    """Everything the message says outright; nothing is invented here."""
    reading = Reading()
    for clause in clauses(message):
        if match := _HAS_MANY.search(clause):
            reading.relations.append((match["child"], noun_of(match["parent"])))
            continue
        belongs = _BELONGS.search(clause)
        if belongs and field_kind(belongs["parent"]) is None:
            reading.relations.append((noun_of(belongs["child"]), belongs["parent"]))
            continue
        for draft in _drafts(clause):
            _add(reading.drafts, draft)
    return reading


def clauses(message: str) -> list[str]:
    """Sentences and lines; bullets below a line that ends with a colon join it."""
    joined: list[str] = []
    open_list = False
    for raw in clean(message).split("\n"):
        line = raw.strip()
        if not line:
            open_list = False
            continue
        bullet = _BULLET.match(raw)
        text = _BULLET.sub("", raw).strip()
        if bullet and open_list and not _starts_entity(text):
            joined[-1] += ("" if joined[-1].endswith(":") else ",") + " " + text.rstrip(".,;")
            continue
        open_list = text.endswith((":", ":"))
        joined.append(text)
    parts = [p.strip() for line in joined for p in _SENTENCE.split(line)]
    return [p for p in parts if p]


def _starts_entity(text: str) -> bool:
    head, colon, rest = text.partition(":")
    return bool(colon and "," in rest) or bool(_with_split(text) and is_thing(noun_of(head)))


def split_list(text: str) -> list[str]:
    """At commas and the words for "and", never inside parentheses."""
    text = _DATE_AND_TIME.sub(r"\1-\2", text)
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char in "((") - (char in "))")
        if depth <= 0 and char in ",、,،":
            parts.append(current)
            current = ""
        else:
            current += char
    parts.append(current)
    ands = "|".join(re.escape(w) for w in lexicon().and_words)
    outside = re.compile(rf"\s+(?:{ands}|&)\s+(?![^()]*\))|^(?:{ands})\s+", re.IGNORECASE)
    pieces = [piece for part in parts for piece in outside.split(part.strip())]
    return [p.strip(" .!?:。") for p in pieces if p and p.strip(" .!?:。")]


def _with_split(text: str) -> tuple[str, str] | None:
    """("customers", "name, email") at the first word for "with"."""
    words = "|".join(re.escape(w) for w in lexicon().with_words)
    match = re.search(rf"^(?P<head>[^()]*?\S)\s+(?:{words})\s+(?P<rest>\S.*)$", text, re.IGNORECASE)
    return (match["head"], match["rest"]) if match else None


def _drafts(clause: str) -> list[Draft]:
    if match := _CALL.match(clause):
        return _from_list(match["noun"], match["list"])
    head, colon, rest = clause.replace(":", ":").partition(":")
    if colon and rest.strip() and "//" not in rest[:2] and len(head) <= 80:
        with_part = _with_split(head)
        return _from_list(with_part[1] if with_part else head, rest)
    split = _with_split(clause)
    return _from_list(*split) if split else []


def _from_list(head: str, rest: str) -> list[Draft]:
    """A head and its list: fields of the head, or things of an app when the list names things."""
    items = split_list(rest)
    heads = [noun_of(part) for part in split_list(head)]
    heads = [h for h in heads if h]
    noun = heads[-1] if heads else ""
    own: list[str] = []
    drafts: list[Draft] = [Draft(h) for h in heads[:-1] if is_thing(h)]
    current: Draft | None = None
    for item in items:
        nested = _with_split(item)
        called = _CALL.match(item)
        if nested and is_thing(noun_of(nested[0])) and not _is_relative(nested[0]):
            current = Draft(noun_of(nested[0]), [nested[1]])
            drafts.append(current)
        elif called and is_plural(called["noun"]) and field_kind(called["noun"]) is None:
            drafts.append(Draft(noun_of(called["noun"]), split_list(called["list"])))
        elif current is not None:
            current.items.append(item)
        else:
            own.append(item)
    if own and _all_things(own) and (not noun or is_app(noun) or not is_thing(noun)):
        return [*(Draft(noun_of(item)) for item in own), *drafts]
    if own and noun and not is_app(noun):
        return [Draft(noun, own), *drafts]
    if own and noun:
        # "A CRM with name and email": the fields of the app's main thing.
        return [Draft(noun, own), *drafts]
    return drafts


def _is_relative(head: str) -> bool:
    return ascii_words(head).split()[:1] in (["a"], ["an"], ["one"], ["whether"], ["which"])


def _all_things(items: list[str]) -> bool:
    return all(is_thing(noun_of(i)) and (is_plural(i) or field_kind(i) is None) for i in items)


def noun_of(text: str) -> str:
    """The last noun phrase: words after the last stop word, without "app", "system"…"""
    lex = lexicon()
    phrase: list[str] = []
    for word in reversed(_WORD.findall(text)):
        low = word.lower()
        if low in lex.stop:
            if phrase:
                break
            continue
        if low in lex.filler and not phrase and low not in lex.entity_words:
            continue
        phrase.insert(0, word)
        if len(phrase) == 3:
            break
    while len(phrase) > 1 and phrase[0].lower() in lex.verbs:
        phrase.pop(0)
    return " ".join(phrase)


def is_app(noun: str) -> bool:
    low = noun.lower()
    return low in lexicon().domains or low.split(" ")[-1] in lexicon().filler


def is_thing(noun: str) -> bool:
    """A word for something there can be many of."""
    low = noun.lower()
    if not low or len(low) > 40:
        return False
    last = low.split(" ")[-1]
    return low in lexicon().entity_words or last in lexicon().entity_words or is_plural(last)


def mentioned(message: str) -> dict[str, str]:
    """Known things the message names, in order: canonical name -> the word it used."""
    lex = lexicon()
    text = clean(message).lower()
    hits: list[tuple[int, int, str, str]] = []
    for word, name in lex.entity_words.items():
        if word.isascii() or not _is_cjk(word):
            match = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
            position = match.start() if match else -1
        else:
            position = text.find(word)
        if position >= 0:
            hits.append((position, -len(word), name, word))
    ordered: dict[str, str] = {}
    for _, _, name, word in sorted(hits):
        ordered.setdefault(name, word)
    return ordered


def _is_cjk(word: str) -> bool:
    return any("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" for c in word)


def tracked(message: str) -> list[str]:
    """Nouns after a verb of keeping: "track meteorites" -> ["meteorites"]."""
    verbs = "|".join(sorted((re.escape(v) for v in lexicon().verbs), key=len, reverse=True))
    found: list[str] = []
    for clause in clauses(message):
        for match in re.finditer(
            rf"(?<!\w)(?:{verbs})(?!\w)\s+(?P<rest>[^.,;:!?]+(?:,[^.;:!?]+)*)", clause, re.I
        ):
            for part in split_list(match["rest"]):
                words = [w for w in _WORD.findall(part)]
                noun = _leading_noun(words)
                if noun and (is_plural(noun) or noun.lower() in lexicon().entity_words):
                    found.append(noun)
    return list(dict.fromkeys(found))


def _leading_noun(words: list[str]) -> str:
    """The first noun phrase of some words, ending where a stop word follows."""
    lex = lexicon()
    phrase: list[str] = []
    for word in words:
        if word.lower() in lex.stop or word.lower() in lex.filler:
            if phrase:
                break
            continue
        phrase.append(word)
        if len(phrase) == 3 or is_plural(word):
            break
    return " ".join(phrase)


def _add(drafts: list[Draft], new: Draft) -> None:
    key = snake(singular(new.noun))
    for known in drafts:
        if snake(singular(known.noun)) == key:
            known.items.extend(i for i in new.items if i not in known.items)
            return
    if len(drafts) < MAX_ENTITIES:
        drafts.append(Draft(new.noun, list(new.items[:MAX_FIELDS])))
