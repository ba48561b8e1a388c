"""Reads tsconfig.json, comments and trailing commas included. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

TSCONFIG = "tsconfig.json"
# Strings are matched first, so that "@/*" is not taken for a comment.
_JSON_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


def read_tsconfig(files: Mapping[str, str]) -> dict[str, Any]:
    """Empty when it is broken: the compiler reports that itself."""
    text = _JSON_COMMENT.sub(lambda m: m[1] or "", files.get(TSCONFIG, "{}"))
    try:
        read = json.loads(_TRAILING_COMMA.sub(r"\1", text))
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def compiler_options(tsconfig: Mapping[str, Any]) -> dict[str, Any]:
    options = tsconfig.get("compilerOptions")
    return options if isinstance(options, dict) else {}
