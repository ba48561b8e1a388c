# ruff: noqa: SIM905 (word lists read best as text)
"""Names a plan may not use, because SQL or TypeScript keeps them. Pure.

SQL: the reserved words of PostgreSQL 18, Appendix C. TypeScript: ECMAScript's reserved words in
strict code plus what tRPC keeps for its proxies.
"""

from __future__ import annotations

from fleet.domain.plan import Contract

_SQL = frozenset(
    """all analyse analyze and any array as asc asymmetric authorization binary both case cast
    check collate collation column concurrently constraint create cross current_catalog
    current_date current_role current_schema current_time current_timestamp current_user default
    deferrable desc distinct do else end except false fetch for foreign freeze from full grant
    group having ilike in initially inner intersect into is isnull join lateral leading left like
    limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps
    placing primary references returning right select session_user similar some symmetric
    system_user table tablesample then to trailing true union unique user using variadic verbose
    when where window with""".split()
)
_TYPESCRIPT = frozenset(
    """arguments await break case catch class const continue debugger default delete do else enum
    eval export extends false finally for function if implements import in instanceof interface
    let new null package private protected public return static super switch this throw true try
    typeof undefined var void while with yield""".split()
)
_ROUTER = frozenset({"then", "call", "apply", "__proto__", "constructor", "prototype"})


def collisions(contract: Contract) -> list[str]:
    """One sentence per name that cannot be used, each with what to do."""
    found = []
    for table in contract.tables:
        if table in _SQL:
            found.append(
                f"Table {table!r} is a reserved word of SQL; choose another name, like "
                f"'{table}_items' or a plural that is no keyword."
            )
        elif table.startswith("pg_"):
            found.append(f"Table {table!r}: the prefix pg_ belongs to Postgres; drop it.")
    names = {p.name for p in contract.procedures}
    for name in sorted(names):
        parts = name.split(".")
        if parts[0] in _TYPESCRIPT:
            found.append(
                f"Procedure {name!r}: {parts[0]!r} is a reserved word of TypeScript and cannot "
                "name a router or module; choose a plural or a longer word."
            )
        for part in parts:
            if part in _ROUTER:
                found.append(f"Procedure {name!r}: tRPC keeps the name {part!r}; choose another.")
        for depth in range(1, len(parts)):
            if ".".join(parts[:depth]) in names:
                found.append(
                    f"Procedure {'.'.join(parts[:depth])!r} cannot also be the router of {name!r}."
                )
    return found
