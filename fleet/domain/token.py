"""API tokens: random, shown once, kept only as a SHA-256 hash."""

from __future__ import annotations

import hashlib
import re
import secrets

_TOKEN = re.compile(r"[\x21-\x7e]{8,256}")


def new_token() -> str:
    return f"af_{secrets.token_urlsafe(32)}"


def is_token(text: str) -> bool:
    """Whether it could be a token at all: printable ASCII without blanks, 8 to 256 characters."""
    return _TOKEN.fullmatch(text) is not None


def hash_token(token: str) -> str:
    """A plain digest suffices: a token has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()
