"""What a statement may do, judged on the tree that Postgres's own parser makes of it.

Nothing is read from the text: comments, strings, case and nesting cannot hide anything. What is
not known to be harmless is risky.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgast
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from fleet.domain.statement import SqlEffect, SqlJudgement
from fleet.errors import SqlFailed

Message = Any  # a protobuf message of Postgres's node types: its fields are dynamic

_HARMLESS = frozenset((Path(__file__).parent / "harmless_functions.txt").read_text().split())
# Statements that change nothing by themselves; what they hold is looked at too.
_READING = frozenset(["SelectStmt", "ExplainStmt", "VariableShowStmt", "VariableSetStmt"])
_WORDS = {
    "CreateStmt": "CREATE TABLE",
    "AlterTableStmt": "ALTER",
    "DropStmt": "DROP",
    "TruncateStmt": "TRUNCATE",
    "RenameStmt": "ALTER … RENAME",
    "IndexStmt": "CREATE INDEX",
    "ViewStmt": "CREATE VIEW",
    "CreateTableAsStmt": "CREATE TABLE AS",
    "CreateFunctionStmt": "CREATE FUNCTION",
    "MergeStmt": "MERGE",
    "DoStmt": "a DO block",
    "CallStmt": "CALL",
    "CopyStmt": "COPY",
}


def judge_sql(sql: str) -> SqlJudgement:
    """Raises SqlFailed for what is not exactly one statement that parses."""
    try:
        tree = postgast.parse(sql)
    except postgast.PgQueryError as error:
        at = f" at character {error.cursorpos}" if error.cursorpos else ""
        raise SqlFailed(
            f"{error.message}{at}.", sqlstate="42601", action="Mend the statement."
        ) from error
    except DecodeError:
        return SqlJudgement(effect=SqlEffect.RISKY, why="it is nested too deeply to be judged")
    if len(tree.stmts) != 1:
        raise SqlFailed(
            f"Expected one statement, got {len(tree.stmts)}.",
            sqlstate="42601",
            action="Send one statement at a time.",
        )
    effects = [_effect(message) for message in _messages(tree.stmts[0].stmt)]
    risky = [e for e in effects if e.effect is SqlEffect.RISKY]
    if risky:
        return risky[0]
    if any(e.effect is SqlEffect.WRITES for e in effects):
        return SqlJudgement(effect=SqlEffect.WRITES)
    return SqlJudgement(effect=SqlEffect.READS)


def _effect(message: Message) -> SqlJudgement:
    """One node's own effect, its children's not included."""
    name = message.DESCRIPTOR.name
    if name == "FuncCall":
        return _function(message)
    if name == "IntoClause":
        return _risky("SELECT INTO makes a table")
    if not name.endswith("Stmt") or name in ("RawStmt", *_READING):
        return SqlJudgement(effect=SqlEffect.READS)
    if name == "InsertStmt":
        return SqlJudgement(effect=SqlEffect.WRITES)
    if name in ("UpdateStmt", "DeleteStmt"):
        verb = name.removesuffix("Stmt").upper()
        if not _chooses(message):
            return _risky(f"{verb} without a WHERE that looks at the row")
        return SqlJudgement(effect=SqlEffect.WRITES)
    return _risky(_WORDS.get(name, _spelled(name)))


def _chooses(message: Message) -> bool:
    """Whether a WHERE names a column or a parameter: `WHERE true` chooses nothing."""
    if not message.HasField("where_clause"):
        return False
    where = message.where_clause
    return any(m.DESCRIPTOR.name in ("ColumnRef", "CurrentOfExpr") for m in _messages(where))


def _function(message: Message) -> SqlJudgement:
    parts = [n.string.sval for n in message.funcname]
    builtin = len(parts) == 1 or parts[0] == "pg_catalog"
    if builtin and parts[-1].lower() in _HARMLESS:
        return SqlJudgement(effect=SqlEffect.READS)
    return _risky(f"the function {'.'.join(parts)}, which may change anything")


def _messages(message: Message) -> Iterator[Message]:
    """Every node of the tree, without recursion: depth is the statement's to choose."""
    waiting = [message]
    while waiting:
        current = waiting.pop()
        yield current
        for field, value in current.ListFields():
            if field.type != FieldDescriptor.TYPE_MESSAGE:
                continue
            waiting.extend(value if field.is_repeated else [value])


def _risky(why: str) -> SqlJudgement:
    return SqlJudgement(effect=SqlEffect.RISKY, why=why)


def _spelled(name: str) -> str:
    """ "AlterRoleStmt" -> "ALTER ROLE"."""
    words = "".join(f" {c}" if c.isupper() else c for c in name.removesuffix("Stmt"))
    return words.strip().upper()
