"""The strict little renderer: `{{name}}` is replaced, a missing or left-over value is an error."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_PLAIN_TEXT = re.compile(r"[^{}<>&\\\n'\"]+")
_PLAIN_ATTRIBUTE = re.compile(r"[^{}<>&\\\n\"]+")


def fill(template: str, **values: str) -> str:
    """`{{name}}` inside an existing brace pair works: `{{{name}}}` keeps the outer braces."""
    text = _template(template)
    wanted = set(_PLACE.findall(text))
    if wanted != set(values):
        missing, spare = sorted(wanted - set(values)), sorted(set(values) - wanted)
        raise KeyError(f"{template}: missing {missing}, not used {spare}")
    return _PLACE.sub(lambda match: values[match[1]], text)


def literal(value: object) -> str:
    """A TypeScript literal; every character of a user stays what it is."""
    return json.dumps(value, ensure_ascii=False)


def jsx_text(text: str) -> str:
    return text if _PLAIN_TEXT.fullmatch(text) and text.strip() == text else f"{{{literal(text)}}}"


def jsx_attribute(text: str) -> str:
    """With its quotes or braces: `title=` + this."""
    return f'"{text}"' if _PLAIN_ATTRIBUTE.fullmatch(text) else f"{{{literal(text)}}}"


def template_text(text: str) -> str:
    """Inside a JavaScript template string."""
    return re.sub(r"([`\\]|\$\{)", r"\\\1", text)


def sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@lru_cache(maxsize=64)
def _template(name: str) -> str:
    return files(__package__).joinpath("templates", f"{name}.tmpl").read_text("utf-8")
