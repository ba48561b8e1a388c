"""What a SQL statement may do to a database, at worst."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from fleet.domain.frozen import Frozen


class SqlEffect(StrEnum):
    """In the order of harm."""

    READS = "reads"
    WRITES = "writes"
    RISKY = "risky"  # may lose data or change the schema, or cannot be told


class SqlJudgement(Frozen):
    """`why` names what makes it risky, in words; "" otherwise."""

    effect: SqlEffect
    why: str = ""


# Raises SqlFailed, with Postgres's own words, for what is not one statement that parses.
JudgeSql = Callable[[str], SqlJudgement]
