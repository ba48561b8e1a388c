"""Nothing of the untouched scaffold's placeholders may remain in a finished app."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from fleet.domain.verdict import Finding
from fleet.verification.evidence import finding
from fleet.verification.subject import Subject

# catalog/scaffold says exactly these; tests/e2e/test_gate.py holds the two together.
PLACEHOLDER_PROCEDURE = "placeholder"
PLACEHOLDER_ANSWER: JsonValue = {"placeholder": "appfleet scaffold"}
PLACEHOLDER_TEXT = "Nothing has been built here yet."
# What the scaffold shows for an address that no route matches, with HTTP 200 all the same.
NO_SUCH_PAGE_TEXT = "There is no page at this address."
_MARKS = (PLACEHOLDER_TEXT, "appfleet scaffold")


def untouched_files(subject: Subject) -> Iterator[Finding]:
    """Source files that are still the scaffold's, placeholder and all."""
    for path, text in subject.scaffold.items():
        if not path.startswith(("src/", "server/")) or subject.files.get(path) != text:
            continue
        if any(mark in text for mark in _MARKS):
            yield finding(
                path,
                "placeholder",
                f"{path} is the scaffold's placeholder, word for word; replace or delete it.",
            )
