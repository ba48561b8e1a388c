"""Words of any language -> names that are safe in SQL, TypeScript and URLs."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import inflect

from serve.models.blueprint.lexicon import lexicon

_ENGLISH = inflect.engine()
_SPECIAL = str.maketrans(
    {"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "þ": "th", "ð": "d"}
    | {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)
_CYRILLIC = dict(
    zip(
        "абвгдезийклмнопрстуфыэіїєґжхцчшщюяёъь",
        [*"abvgdezijklmnoprstufyeiieg", "zh", "kh", "ts", "ch", "sh", "shch", "yu", "ya", "yo"]
        + [""] * 2,
        strict=True,
    )
)
_GREEK = dict(
    zip(
        "αβγδεζηικλμνξοπρσςτυφωθχψ",
        [*"avgdeziiklmnxoprsstyfo", "th", "ch", "ps"],
        strict=True,
    )
)
_LETTERS = _CYRILLIC | _GREEK
_NAMED_LETTER = re.compile(
    r"(?:HIRAGANA|KATAKANA|HANGUL|ARABIC|HEBREW|DEVANAGARI|THAI|ARMENIAN|GEORGIAN|BENGALI|TAMIL)"
    r" (?:SMALL |CAPITAL )?(?:LETTER|SYLLABLE) (?:SMALL )?(\w+)"
)
MAX_NAME = 40


def clean(text: str) -> str:
    """One line structure kept, control characters and odd spaces gone."""
    text = unicodedata.normalize("NFC", text)
    kept = (
        c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") else " "
        for c in text
    )
    return re.sub(r"[ \t\u00a0]+", " ", "".join(kept)).strip()


def ascii_words(text: str) -> str:
    """Transliterated, lower case, single spaces; empty when nothing can be written in ASCII."""
    out: list[str] = []
    for char in text.translate(_SPECIAL).lower():
        if char.isascii():
            out.append(char)
        elif char in _LETTERS:
            out.append(_LETTERS[char])
        else:
            out.append(_one_letter(char))
    return re.sub(r"[^a-z0-9]+", " ", "".join(out)).strip()


def _one_letter(char: str) -> str:
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    if plain:
        return plain
    stripped = unicodedata.normalize("NFD", char)[0]
    if stripped in _LETTERS:
        return str(_LETTERS[stripped])
    named = _NAMED_LETTER.match(unicodedata.name(char, ""))
    return str(named[1]).lower() if named else " "


def snake(text: str) -> str:
    words = ascii_words(text).split()
    name = ""
    for word in words:
        longer = f"{name}_{word}" if name else word
        if len(longer) > MAX_NAME and name:
            break
        name = longer[:MAX_NAME]
    return f"n_{name}" if name[:1].isdigit() else name


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def safe_column(name: str) -> str:
    """Not a keyword of SQL or TypeScript, and not one of the columns every table has."""
    if not name:
        return "field"
    return f"{name}_value" if name in lexicon().reserved or name in ("id", "created_at") else name


def safe_table(name: str) -> str:
    return f"{name}_list" if name in lexicon().reserved else name


def safe_key(key: str) -> str:
    reserved = lexicon().reserved
    return f"{key}Value" if key.lower() in reserved or key in ("id", "search", "limit") else key


@lru_cache(maxsize=4096)
def singular(word: str) -> str:
    """Of an English word or phrase (the last word counts); already singular words stay."""
    head, _, last = word.rpartition(" ")
    low = last.lower()
    if low in lexicon().uncountable or len(low) < 4 or low.endswith(("ss", "us", "is")):
        return word
    single = _ENGLISH.singular_noun(low)
    last = str(single) if single else low
    return f"{head} {last}".strip()


@lru_cache(maxsize=4096)
def plural(word: str) -> str:
    head, _, last = word.rpartition(" ")
    low = last.lower()
    known = lexicon().entity_words
    if low in lexicon().uncountable or (low in known and _is_foreign(low)):
        return word
    if f"{low}s" in known:
        return f"{head} {low}s".strip()
    if _ENGLISH.singular_noun(low) and low not in ("bus", "gas", "class", "address", "process"):
        return word
    return f"{head} {_ENGLISH.plural_noun(low)}".strip()


def _is_foreign(word: str) -> bool:
    """A word of another language: the lexicon holds its forms, English endings do not fit it."""
    lex = lexicon()
    single = str(_ENGLISH.singular_noun(word) or word)
    return single not in lex.entities and f"{single}s" not in lex.entity_words


def is_plural(word: str) -> bool:
    """By its form; only for plain English-looking words."""
    low = word.lower().rpartition(" ")[2]
    if not low.isascii() or not low.isalpha() or len(low) < 4:
        return False
    if low.endswith(("ss", "us", "is", "ous", "ics")) or low in lexicon().not_plural:
        return False
    return bool(_ENGLISH.singular_noun(low))
