"""Which misbehaviour acts at a turn: those the model's name says, and those its seed draws."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from serve.models.blueprint.fault import MISTAKES, Behaviour, Fault
from serve.models.blueprint.misbehaviour.detour import DETOURS, risky_sql_begun
from serve.models.blueprint.misbehaviour.form import FORMS
from serve.models.blueprint.producer import Work
from serve.models.blueprint.reply import Reply
from serve.models.blueprint.scene import Scene

T = TypeVar("T")

# Of a hundred turns; never more than two in a row, so that the work goes on.
MISBEHAVED_TURNS = 35
MAX_IN_A_ROW = 2
SEEDED_DELAY_S = 0.3
DRAWN = (
    Fault.ENDLESS_REASONING,
    Fault.EMPTY_ANSWERS,
    Fault.UNKNOWN_TOOL,
    Fault.RISKY_SQL,
    Fault.DIAGNOSE_LOOP,
    Fault.OVERSIZED_FILE,
    Fault.SCOPE_ESCAPE,
    Fault.PARALLEL,
    Fault.ONE_BY_ONE,
    Fault.WRONG_TYPES,
    Fault.TRUNCATED_JSON,
    Fault.RAW_TOOL_CALL,
    Fault.SLOW,
)
# What these do at a start only, a seed makes them do whenever it draws them.
ONLY_FIRST = frozenset(
    {
        Fault.ENDLESS_REASONING,
        Fault.EMPTY_ANSWERS,
        Fault.UNKNOWN_TOOL,
        Fault.WRONG_TYPES,
        Fault.TRUNCATED_JSON,
    }
)


def mistake_of(behaviour: Behaviour, message: str) -> Fault:
    """The mistake in the app: the one the name says; of a seed, in one build of two, one drawn."""
    if behaviour.has(Fault.SAME_MISTAKE):
        return Fault.TYPE_ERROR
    named = next((f for f in behaviour.faults if f in MISTAKES), Fault.NONE)
    if named or behaviour.seed is None:
        return named
    # A model's other name is left alone: sorted, so that a new mistake moves no old seed's place.
    return _drawn(behaviour.seed, message, "mistake", sorted([*MISTAKES, *[Fault.NONE] * 6]))


def act(scene: Scene, work: Work, behaviour: Behaviour) -> Reply:
    """The right reply, made wrong as the model's name says."""
    reply = work.reply()
    drawn = _drawn_fault(scene, behaviour)
    faults = {*behaviour.faults, *([drawn] if drawn else [])}
    if behaviour.notes:
        faults.add(Fault.ONE_BY_ONE)
    if behaviour.seed is not None and risky_sql_begun(scene):
        faults.add(Fault.RISKY_SQL)  # what it made on dev it takes away again
    for fault, detour in DETOURS.items():
        if fault in faults:
            other = detour(_at(scene, fault, drawn), work, reply)
            if other is not reply:
                reply = other
                break
    for fault, form in FORMS.items():
        if fault in faults:
            reply = form(_at(scene, fault, drawn), work, reply)
    delay_s = SEEDED_DELAY_S if drawn is Fault.SLOW else behaviour.delay_s
    return replace(reply, delay_s=delay_s)


def _at(scene: Scene, fault: Fault, drawn: Fault | None) -> Scene:
    return replace(scene, turn=0) if fault is drawn and fault in ONLY_FIRST else scene


def _drawn_fault(scene: Scene, behaviour: Behaviour) -> Fault | None:
    if behaviour.seed is None or scene.was_told(levels=("forced", "fresh")):
        return None
    row = 0
    for turn in range(max(0, scene.turn - MAX_IN_A_ROW * 50), scene.turn + 1):
        bad = row < MAX_IN_A_ROW and _number(behaviour.seed, scene.message, turn) < MISBEHAVED_TURNS
        row = row + 1 if bad else 0
    return _drawn(behaviour.seed, scene.message, str(scene.turn), DRAWN) if row else None


def _number(seed: int, message: str, turn: int) -> int:
    return _hash(seed, message, f"turn {turn}") % 100


def _drawn(seed: int, message: str, what: str, of: Sequence[T]) -> T:
    return of[_hash(seed, message, what) % len(of)]


def _hash(seed: int, message: str, what: str) -> int:
    digest = hashlib.sha256(f"{seed}\n{message}\n{what}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
