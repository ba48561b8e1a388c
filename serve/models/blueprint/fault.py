"""The faults a model name may carry: `blueprint+FAULT+FAULT`, and how a build with each must end.

Mistakes are wrong code, mended only from evidence. The others are manners of weak models over the
protocol; `serve.models.blueprint.misbehaviour` acts them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Fault(StrEnum):
    NONE = ""
    # Mistakes in the app.
    TYPE_ERROR = "type-error"
    MISSING_PROCEDURE = "missing-procedure"
    MISSING_TABLE = "missing-table"
    FAILING_TEST = "failing-test"
    BLANK_PAGE = "blank-page"
    SERVER_ERROR = "server-error"
    SAME_MISTAKE = "same-mistake"
    # What it does instead of its work.
    DIAGNOSE_LOOP = "diagnose-loop"
    UNDO_LOOP = "undo-loop"
    OVERSIZED_FILE = "oversized-file"
    SCOPE_ESCAPE = "scope-escape"
    RISKY_SQL = "risky-sql"
    REFUSAL = "refusal"
    ENDLESS_REASONING = "endless-reasoning"
    EMPTY_ANSWERS = "empty-answers"
    UNKNOWN_TOOL = "unknown-tool"
    # How it sends its calls.
    PARALLEL = "parallel"
    ONE_BY_ONE = "one-by-one"
    WRONG_TYPES = "wrong-types"
    TRUNCATED_JSON = "truncated-json"
    RAW_TOOL_CALL = "raw-tool-call"
    SLOW = "slow"


class End(StrEnum):
    """How a build with a fault must end."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Expected:
    """`told` is what the failed build's explanation must hold; "" where it succeeds."""

    end: End
    what: str
    told: str = ""


REFUSAL_WORDS = "I'm sorry, but I can't help with building this."

EXPECTED_END: dict[Fault, Expected] = {
    Fault.TYPE_ERROR: Expected(End.SUCCEEDED, "one file does not compile; mended from evidence"),
    Fault.MISSING_PROCEDURE: Expected(End.SUCCEEDED, "one procedure is forgotten; added later"),
    Fault.MISSING_TABLE: Expected(End.SUCCEEDED, "one table is forgotten; added by a migration"),
    Fault.FAILING_TEST: Expected(End.SUCCEEDED, "one test fails; mended from evidence"),
    Fault.BLANK_PAGE: Expected(End.SUCCEEDED, "the pages stay blank; mended from evidence"),
    Fault.SERVER_ERROR: Expected(End.SUCCEEDED, "one procedure throws; mended from evidence"),
    Fault.SAME_MISTAKE: Expected(
        End.FAILED, "writes one wrong file after every red gate", told="src/navigation.ts"
    ),
    Fault.DIAGNOSE_LOOP: Expected(End.SUCCEEDED, "only looks, until it is told to edit"),
    Fault.UNDO_LOOP: Expected(End.SUCCEEDED, "undoes its own edit again and again, until forced"),
    Fault.OVERSIZED_FILE: Expected(End.SUCCEEDED, "sends one huge file, twice; then splits it"),
    Fault.SCOPE_ESCAPE: Expected(End.SUCCEEDED, "writes outside its scope, then says why"),
    Fault.RISKY_SQL: Expected(End.SUCCEEDED, "creates, empties and drops a table on dev"),
    Fault.REFUSAL: Expected(End.FAILED, "refuses for ever", told=REFUSAL_WORDS),
    Fault.ENDLESS_REASONING: Expected(End.SUCCEEDED, "thinks until its answer is cut off, twice"),
    Fault.EMPTY_ANSWERS: Expected(End.SUCCEEDED, "says nothing at all, now and then"),
    Fault.UNKNOWN_TOOL: Expected(End.SUCCEEDED, "calls tools that do not exist, then those"),
    Fault.PARALLEL: Expected(End.SUCCEEDED, "sends everything at once, all calls with one id"),
    Fault.ONE_BY_ONE: Expected(End.SUCCEEDED, "makes one tool call per answer"),
    Fault.WRONG_TYPES: Expected(End.SUCCEEDED, "sends lists for texts, until it is told"),
    Fault.TRUNCATED_JSON: Expected(End.SUCCEEDED, "is cut off in mid-call; goes on in pieces"),
    Fault.RAW_TOOL_CALL: Expected(End.SUCCEEDED, "writes its tool calls into the text"),
    Fault.SLOW: Expected(End.SUCCEEDED, "answers late, in pieces; slow-N takes N seconds"),
}
SEEDED = Expected(End.SUCCEEDED, "a reproducible mixture of faults that heal, drawn from the seed")
LONG = Expected(End.SUCCEEDED, "one call per answer, with N small documents besides the app")

MISTAKES = frozenset(
    {
        Fault.TYPE_ERROR,
        Fault.MISSING_PROCEDURE,
        Fault.MISSING_TABLE,
        Fault.FAILING_TEST,
        Fault.BLANK_PAGE,
        Fault.SERVER_ERROR,
    }
)
NEEDS_TABLES = frozenset({Fault.MISSING_PROCEDURE, Fault.MISSING_TABLE, Fault.SERVER_ERROR})

DEFAULT_DELAY_S = 1
MAX_DELAY_S = 30
MAX_NOTES = 1_000
_NUMBERED = re.compile(r"(?P<what>seed|long|slow)-(?P<number>-?\d{1,18})")


@dataclass(frozen=True)
class Behaviour:
    """What a model name says. `notes` is the N of `long-N`; `delay_s` is per completion."""

    faults: tuple[Fault, ...] = ()
    seed: int | None = None
    notes: int = 0
    delay_s: float = 0.0

    def has(self, fault: Fault) -> bool:
        return fault in self.faults

    @property
    def expected(self) -> Expected:
        """Of several faults, one that ends in failure decides."""
        found = [EXPECTED_END[f] for f in self.faults]
        found += [SEEDED] if self.seed is not None else []
        found += [LONG] if self.notes else []
        failing = [e for e in found if e.end is End.FAILED]
        what = "; ".join(e.what for e in found)
        told = failing[0].told if failing else ""
        return Expected(End.FAILED if failing else End.SUCCEEDED, what, told)


def behaviour_of(faults: Iterable[Fault]) -> Behaviour:
    kept = tuple(f for f in faults if f)
    return Behaviour(faults=kept, delay_s=DEFAULT_DELAY_S if Fault.SLOW in kept else 0.0)


def parse_model_name(name: str) -> Behaviour | None:
    """The behaviour of `blueprint` or `blueprint+FAULT+…`; None for any other model."""
    stem, plus, rest = name.partition("+")
    if stem != "blueprint":
        return None
    behaviour: Behaviour | None = Behaviour()
    for part in rest.split("+") if plus else []:
        behaviour = _with_part(behaviour, part) if behaviour else None
    return behaviour


def _with_part(behaviour: Behaviour, part: str) -> Behaviour | None:
    if part in EXPECTED_END:
        fault = Fault(part)
        delay_s = DEFAULT_DELAY_S if fault is Fault.SLOW else behaviour.delay_s
        return replace(behaviour, faults=(*behaviour.faults, fault), delay_s=delay_s)
    match = _NUMBERED.fullmatch(part)
    if match is None:
        return None
    number = int(match["number"])
    if match["what"] == "seed":
        return replace(behaviour, seed=number)
    if match["what"] == "long" and 1 <= number <= MAX_NOTES:
        return replace(behaviour, notes=number)
    if match["what"] == "slow" and 1 <= number <= MAX_DELAY_S:
        return replace(behaviour, faults=(*behaviour.faults, Fault.SLOW), delay_s=number)
    return None


def is_about(fault: Fault, finding: dict[str, object], words: frozenset[str]) -> bool:
    """Whether a finding tells of the fault. `words` are the files and names the mistake touched."""
    check = str(finding.get("check", ""))
    told = " ".join(str(finding.get(k, "")) for k in ("where", "code", "message", "excerpt"))
    checks = {
        Fault.TYPE_ERROR: ("typescript",),
        Fault.MISSING_PROCEDURE: ("contract", "tests"),
        Fault.MISSING_TABLE: ("contract", "tests"),
        Fault.FAILING_TEST: ("tests",),
        Fault.BLANK_PAGE: ("browse",),
        Fault.SERVER_ERROR: ("contract", "tests"),
    }
    return check in checks.get(fault, ()) and any(word in told for word in words)
