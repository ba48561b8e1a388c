"""Identifiers. Everything derived from a project is named after it, so that no lookup is needed."""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import NewType

OwnerId = NewType("OwnerId", str)
ProjectId = NewType("ProjectId", str)  # DNS-safe, <= 24 characters: "crm-x7k2"
AppSlug = NewType("AppSlug", str)  # [a-z][a-z0-9]{0,11}, never a hyphen: hosts split at the first
MessageId = NewType("MessageId", str)
BuildId = NewType("BuildId", str)
TaskId = NewType("TaskId", str)
CommitId = NewType("CommitId", str)  # 40 hex digits
TimelineId = NewType("TimelineId", str)
EndpointId = NewType("EndpointId", str)
WorkloadId = NewType("WorkloadId", str)
CheckpointId = NewType("CheckpointId", str)

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_PROJECT = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def random_suffix(length: int = 5) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_project_id(message: str) -> ProjectId:
    """A readable id from the first words of a message: "A CRM for…" -> "crm-x7k2p"."""
    ascii_text = unicodedata.normalize("NFKD", message).encode("ascii", "ignore").decode().lower()
    words = [w for w in re.findall(r"[a-z][a-z0-9]*", ascii_text) if w not in _STOP_WORDS]
    stem = words[0][:14] if words else "app"
    return ProjectId(f"{stem}-{random_suffix()}")


def is_project_id(text: str) -> bool:
    return len(text) <= 24 and _PROJECT.fullmatch(text) is not None


def new_id(prefix: str) -> str:
    return f"{prefix}_{random_suffix(12)}"


def dev_workload(project: ProjectId, app: AppSlug) -> WorkloadId:
    return WorkloadId(f"{project}.{app}.dev")


def dev_endpoint(project: ProjectId) -> EndpointId:
    return EndpointId(f"{project}.dev")


def dev_timeline(project: ProjectId) -> TimelineId:
    return TimelineId(f"{project}.dev")


_STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "i",
        "we",
        "my",
        "our",
        "me",
        "us",
        "you",
        "your",
        "it",
        "is",
        "are",
        "be",
        "to",
        "for",
        "of",
        "in",
        "on",
        "with",
        "and",
        "or",
        "that",
        "this",
        "please",
        "build",
        "make",
        "create",
        "want",
        "need",
        "would",
        "like",
        "app",
        "application",
        "web",
        "website",
        "page",
        "site",
        "simple",
        "small",
        "new",
        "manage",
        "managing",
        "track",
        "tracking",
        "tracker",
        "keep",
        "let",
        "lets",
        "can",
        "should",
        "give",
        "generate",
        "write",
    ]
)
