"""What users type, made safe to store: any script and emoji stay, control characters go."""

from __future__ import annotations

import re
import unicodedata

from fleet.errors import InvalidInput, TooLarge

# C0 and C1 controls but tab and newline, and lone surrogates, which no database can encode.
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# What a terminal would obey, whole: a sequence cut in half would leave its letters behind.
_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor moves
    # OSC, DCS: titles, links
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]"  # character sets
)
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_MODEL_NAME = re.compile(r"[A-Za-z0-9][\w./:+@-]{0,199}")
MAX_TITLE_CHARS = 80


def clean_message(text: str, max_bytes: int) -> str:
    """Raises InvalidInput when nothing is left, TooLarge above `max_bytes` of UTF-8."""
    size = len(text.encode(errors="replace"))
    if size > max_bytes:
        raise TooLarge(
            f"The message is {size:,} bytes long; at most {max_bytes:,} are accepted.",
            action="Shorten it, or send the rest as a second message.",
        )
    cleaned = _storable(text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if all(unicodedata.category(character) in _INVISIBLE for character in cleaned):
        raise InvalidInput("The message is empty.", action="Say what the app should do.")
    return cleaned


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("", _ESCAPE_SEQUENCE.sub("", text))


def clean_sql(sql: str, max_bytes: int) -> str:
    """SQL is never altered: what cannot be sent is refused."""
    if len(sql.encode(errors="replace")) > max_bytes:
        raise TooLarge(f"The statement is longer than {max_bytes:,} bytes.")
    if not sql.strip():
        raise InvalidInput("The statement is empty.", action="Send one SQL statement.")
    if _UNSTORABLE.search(sql.replace("\r", "")):
        raise InvalidInput("The statement contains control characters.", action="Remove them.")
    return sql


def clean_title(title: str | None, message: str) -> str:
    """The given title, else the message's first line, cut at a word."""
    line = _storable(title or "").strip() or message.splitlines()[0].strip()
    line = " ".join(line.split())
    if len(line) <= MAX_TITLE_CHARS:
        return line
    cut = line[: MAX_TITLE_CHARS - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut).rstrip() + "…"


def clean_model(model: str | None) -> str | None:
    """None leaves the choice to the platform's settings."""
    if model is None:
        return None
    if not model.strip():
        raise InvalidInput(
            "The model name is empty.",
            action="Name a model, for example 'blueprint', or leave the field out.",
        )
    if _MODEL_NAME.fullmatch(model.strip()) is None:
        raise InvalidInput(
            f"{model[:80]!r} is not a model name.",
            action="Use letters, digits and . / : + @ - _, for example 'blueprint'.",
        )
    return model.strip()
