"""Loads the statements of `queries/<subject>.sql`, each under its `-- name:` line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def statements(subject: str) -> Mapping[str, bytes]:
    parts = _NAME.split((Path(__file__).parent / "queries" / f"{subject}.sql").read_text())
    return {
        name: body.strip().removesuffix(";").encode()
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
