"""Prompts are files; this reads and fills them. A missing or unknown name is an error at once."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from string import Template

from pydantic import JsonValue


def prompt(name: str, **values: str) -> str:
    return _template(name).substitute(values)


@cache
def _template(name: str) -> Template:
    folder = resources.files("fleet.generation") / "prompts"
    return Template((folder / f"{name}.md").read_text(encoding="utf-8"))


def fenced(label: str, value: JsonValue) -> str:
    """JSON in a fence a program can find and no content can close: backticks are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=1).replace("`", "\\u0060")
    return f"```json {label}\n{text}\n```"
