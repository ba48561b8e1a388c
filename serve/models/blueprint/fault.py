"""The faults a model name may carry: one known mistake each, mended only from evidence."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    NONE = ""
    TYPE_ERROR = "type-error"
    MISSING_PROCEDURE = "missing-procedure"
    MISSING_TABLE = "missing-table"
    FAILING_TEST = "failing-test"
    BLANK_PAGE = "blank-page"
    SERVER_ERROR = "server-error"


NEEDS_TABLES = frozenset({Fault.MISSING_PROCEDURE, Fault.MISSING_TABLE, Fault.SERVER_ERROR})


def parse_model_name(name: str) -> Fault | None:
    """The fault of `blueprint` or `blueprint+FAULT`; None for any other model."""
    stem, plus, fault = name.partition("+")
    if stem != "blueprint" or (plus and fault not in {f.value for f in Fault if f}):
        return None
    return Fault(fault)


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
