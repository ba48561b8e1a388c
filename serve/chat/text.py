"""What users type, made safe to store: any script and emoji stay, control characters go."""

from __future__ import annotations

import re

from fleet.errors import InvalidInput, TooLarge

# C0 and C1 controls but tab and newline, and lone surrogates, which no database can encode.
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
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
    cleaned = _UNSTORABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not cleaned:
        raise InvalidInput("The message is empty.", action="Say what the app should do.")
    return cleaned


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
    line = _UNSTORABLE.sub("", title or "").strip() or message.splitlines()[0].strip()
    line = " ".join(line.split())
    if len(line) <= MAX_TITLE_CHARS:
        return line
    cut = line[: MAX_TITLE_CHARS - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut).rstrip() + "…"


def clean_model(model: str | None) -> str | None:
    if model is None or not model.strip():
        return None
    if _MODEL_NAME.fullmatch(model.strip()) is None:
        raise InvalidInput(
            f"{model[:80]!r} is not a model name.",
            action="Use letters, digits and . / : + @ - _, for example 'blueprint'.",
        )
    return model.strip()
