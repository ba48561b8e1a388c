"""How a build ends before its tasks do: as an exception, so that no layer between must know."""

from __future__ import annotations

from fleet.domain.build import BuildState


class BuildEnded(Exception):
    """`explanation` is plain words for the user. No fault: a decision."""

    def __init__(self, state: BuildState, explanation: str) -> None:
        super().__init__(explanation)
        self.state = state
        self.explanation = explanation
