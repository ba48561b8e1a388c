"""Anti-spiral: rules over what a task did so far that say when it runs in circles. Pure.

A rule that holds is broken by force, one level harder each time it holds again: a pointed message,
a forced choice of tools, a fresh context, the end of the task. Which level comes next is read from
the recorded steps, so a successor escalates exactly as the dead process would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pydantic import JsonValue

from fleet.domain.build import Step
from fleet.domain.event import EventKind
from fleet.domain.frozen import Frozen
from fleet.generation import signs
from fleet.generation.prompt import fenced, prompt
from fleet.generation.signs import Turn
from fleet.settings import Settings

SPIRAL_FACT = "spiral"


class Rule(StrEnum):
    NO_TOOL = "no_tool"
    OVERSIZED = "oversized"
    SAME_CALL = "same_call"
    ALTERNATING = "alternating"
    REWRITES = "rewrites"
    NO_EDIT = "no_edit"
    SAME_EVIDENCE = "same_evidence"
    NO_PROGRESS = "no_progress"


class Level(StrEnum):
    """In the order of force."""

    MESSAGE = "message"
    FORCED = "forced"
    FRESH = "fresh"
    FAILED = "failed"


_LEVELS = tuple(Level)
# Every tool of the producer stands in one of the two.
CHANGING = frozenset(
    {
        "write_file",
        "edit_file",
        "delete_file",
        "move_file",
        "add_package",
        "remove_package",
        "claim_done",
    }
)
LOOKING = frozenset(
    {
        "list_files",
        "read_file",
        "search",
        "run_sql",
        "show_schema",
        "typecheck",
        "run_tests",
        "call_procedure",
        "open_page",
        "read_logs",
        "note_decision",
        "take_checkpoint",
        "list_checkpoints",
    }
)
# What may be called in the one completion after a forced choice; a rule not here allows all.
_FORCED: dict[Rule, frozenset[str]] = {
    Rule.OVERSIZED: CHANGING - {"claim_done"},
    Rule.SAME_CALL: CHANGING,
    Rule.NO_EDIT: CHANGING,
    Rule.ALTERNATING: LOOKING,
    Rule.REWRITES: LOOKING | {"edit_file"},
    Rule.SAME_EVIDENCE: LOOKING,
    Rule.NO_PROGRESS: LOOKING,
}
_SAID = {
    Rule.NO_TOOL: "Only tool calls have an effect. Call a tool now; when the task is finished, "
    "call claim_done.",
    Rule.OVERSIZED: "The file is too large for one write, and sending it again will not change "
    "that. Split it: one component, router or test group per file, each well below the limit, and "
    "import them.",
    Rule.SAME_CALL: "You have made the same call several times, and nothing changed between. "
    "Its answer will stay the same: change a file, or do something else.",
    Rule.ALTERNATING: "A file goes back and forth between the same contents. Neither is right: "
    "find what both have in common that is wrong.",
    Rule.REWRITES: "A file was written whole again and again. Read it as it stands, then mend the "
    "one passage that is wrong with edit_file.",
    Rule.NO_EDIT: "You have been looking for many steps without changing a file. Decide on the "
    "most likely cause now and edit, or claim done.",
    Rule.SAME_EVIDENCE: "The gate found exactly the same as before. The last change did not touch "
    "the cause: look elsewhere.",
    Rule.NO_PROGRESS: "None of the last checks came out better than an earlier one. Stop patching "
    "symptoms: read the evidence again, find one cause they share, and mend that.",
}
_REASONS = {
    Rule.NO_TOOL: "the model answered without using its tools",
    Rule.OVERSIZED: "the model kept sending a file larger than one write takes",
    Rule.SAME_CALL: "it repeated the same call without effect",
    Rule.ALTERNATING: "it kept changing a file back and forth",
    Rule.REWRITES: "it kept writing a file whole without getting it right",
    Rule.NO_EDIT: "it kept looking without changing a file",
    Rule.SAME_EVIDENCE: "the gate kept finding the same fault",
    Rule.NO_PROGRESS: "no check came out better any more",
}


class Spiral(Frozen):
    rule: Rule
    level: Level

    @property
    def text(self) -> str:
        """What the model is told: the rule's words, and what this level asks of it."""
        said = {"rule": self.rule.value, "level": self.level.value}
        asked = ""
        if self.level is Level.FORCED and self.rule in _FORCED:
            asked = f" Your next answer may call only: {', '.join(sorted(_FORCED[self.rule]))}."
        elif self.level is Level.FORCED:
            asked = " Your next answer must be a tool call."
        return prompt(
            "spiral", words=_SAID[self.rule] + asked, block=fenced("appfleet:spiral", {**said})
        )

    @property
    def reason(self) -> str:
        return _REASONS[self.rule]

    @property
    def event(self) -> EventKind:
        return EventKind(f"spiral.{self.rule.value}")

    @property
    def fact(self) -> JsonValue:
        return {"rule": self.rule.value, "level": self.level.value}


def spiral_of(step: Turn) -> Spiral | None:
    """What the rules said to a recorded step."""
    fact = step.facts.get(SPIRAL_FACT)
    return Spiral.model_validate(fact) if isinstance(fact, dict) else None


def forced_tools(steps: Sequence[Step]) -> frozenset[str] | None:
    """After a forced choice: the tools the next completion may call, all when empty. None: free."""
    found = spiral_of(steps[-1]) if steps else None
    if found is None or found.level is not Level.FORCED:
        return None
    return _FORCED.get(found.rule, frozenset())


def spiral(steps: Sequence[Turn], settings: Settings) -> Spiral | None:
    """Judges a task's steps in order, the newest last: what just held, and how hard to break it."""
    if not steps:
        return None
    for rule in Rule:
        since = _since(steps, rule)
        breaks = [i for i, step in enumerate(since) if _broke(step, rule)]
        fresh = since[breaks[-1] + 1 :] if breaks else since
        if _holds(rule, fresh, since, settings):
            return Spiral(rule=rule, level=_LEVELS[min(len(breaks), len(_LEVELS) - 1)])
    return None


def _broke(step: Turn, rule: Rule) -> bool:
    found = spiral_of(step)
    return found is not None and found.rule is rule


def _since(steps: Sequence[Turn], rule: Rule) -> Sequence[Turn]:
    """The steps a rule looks at. What happened before things moved on is forgiven."""
    match rule:
        case Rule.NO_TOOL | Rule.SAME_CALL | Rule.NO_EDIT | Rule.OVERSIZED:
            return signs.since_change(steps)
        case Rule.SAME_EVIDENCE:
            return signs.since_other_evidence(steps)
        case Rule.ALTERNATING | Rule.REWRITES | Rule.NO_PROGRESS:
            return signs.since_progress(steps)


def _holds(rule: Rule, fresh: Sequence[Turn], since: Sequence[Turn], settings: Settings) -> bool:
    """`fresh` are the steps after the rule was last broken, `since` all that it looks at."""
    match rule:
        case Rule.NO_TOOL:
            return signs.silent(fresh) >= settings.spiral_silent_steps
        case Rule.OVERSIZED:
            return signs.oversized(fresh) >= settings.spiral_oversized
        case Rule.SAME_CALL:
            return signs.same_calls(fresh) >= settings.spiral_same_calls
        case Rule.ALTERNATING:
            return signs.alternations(fresh) >= settings.spiral_alternations
        case Rule.REWRITES:
            return signs.rewrites(fresh) >= settings.spiral_rewrites
        case Rule.NO_EDIT:
            return len(fresh) >= settings.spiral_idle_steps
        case Rule.SAME_EVIDENCE:
            # Once broken, every further gate run that finds the same is one too many.
            bound = settings.spiral_same_evidence if fresh is since else 1
            return signs.ends_with_gate(fresh) and signs.gates(fresh) >= bound
        case Rule.NO_PROGRESS:
            return signs.ends_with_check(fresh) and (
                signs.stuck_checks(fresh) >= settings.spiral_no_progress
            )
