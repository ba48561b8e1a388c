"""How a build ends before its tasks do: as an exception, so that no layer between must know."""

from __future__ import annotations

from fleet.domain.build import BuildState

# How explanations begin of ends that nothing in the record but the end itself tells of.
PLATFORM_FAILED = "The platform failed"
MODEL_FAILED = "The model could not be used"
OWNER_SPENT = "The builds of this owner spent"


class RecordEnded(Exception):
    """In a replay: what comes next is not on record, for no reason that a replay could repeat."""


class BuildEnded(Exception):
    """`explanation` is plain words for the user. No fault: a decision."""

    def __init__(self, state: BuildState, explanation: str) -> None:
        super().__init__(explanation)
        self.state = state
        self.explanation = explanation
