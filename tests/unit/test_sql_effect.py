"""What a statement may do is judged by Postgres's own parser, and what is unsure is risky."""

from __future__ import annotations

import pytest

from fleet.domain.statement import SqlEffect
from fleet.drivers.postgres.effect import judge_sql
from fleet.errors import SqlFailed


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM t WHERE a ILIKE '%drop table%'",
        "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r",
        "SELECT extract(year FROM now()), trim(' a'), a AT TIME ZONE 'utc', current_date FROM t",
        'SELECT "delete" FROM t -- DELETE FROM t',
        "EXPLAIN ANALYZE SELECT 1",
        "TABLE t",
        "VALUES (1)",
        "SHOW search_path",
    ],
)
def test_reading_is_told_from_writing(sql: str) -> None:
    assert judge_sql(sql).effect is SqlEffect.READS


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (now(), 'DROP TABLE t')",
        "INSERT INTO t SELECT * FROM u ON CONFLICT (id) DO UPDATE SET a = excluded.a",
        "UPDATE t SET a = 1 WHERE id = 3",
        "DELETE FROM t USING u WHERE u.id = t.id",
        "WITH gone AS (DELETE FROM t WHERE id = 1 RETURNING *) INSERT INTO old SELECT * FROM gone",
    ],
)
def test_a_write_that_chooses_its_rows_is_not_risky(sql: str) -> None:
    assert judge_sql(sql).effect is SqlEffect.WRITES


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("dElEtE /* WHERE id = 1 */ FROM t -- WHERE id = 1", "DELETE without a WHERE"),
        ("UPDATE t SET a = 'WHERE'", "UPDATE without a WHERE"),
        ("UPDATE t SET a = 1 WHERE true", "UPDATE without a WHERE"),
        ("DELETE FROM t WHERE 1 = 1", "DELETE without a WHERE"),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "DELETE without a WHERE"),
        ("INSERT INTO u WITH x AS (UPDATE t SET a = 1 RETURNING a) SELECT a FROM x", "UPDATE"),
        ("EXPLAIN ANALYZE DELETE FROM t", "DELETE"),
        ("/* read */ TRUNCATE t", "TRUNCATE"),
        ("drop table t", "DROP"),
        ("ALTER TABLE t DROP COLUMN a", "ALTER"),
        ("CREATE TABLE t (id int)", "CREATE TABLE"),
        ("SELECT * INTO u FROM t", "SELECT INTO"),
        ("DO $x$ BEGIN DELETE FROM t WHERE id = 1; END $x$", "DO block"),
        ("CALL clean()", "CALL"),
        ("SELECT clean_up()", "function clean_up"),
        ("SELECT setval('t_id_seq', 1)", "function setval"),
        ("SELECT evil.now()", "function evil.now"),
        ("PREPARE x AS DELETE FROM t WHERE id = 1", "PREPARE"),
        ("MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE", "MERGE"),
        (f"SELECT {'not ' * 200}true", "too deeply"),
    ],
)
def test_what_may_lose_data_or_change_the_schema_is_risky(sql: str, why: str) -> None:
    judged = judge_sql(sql)
    assert judged.effect is SqlEffect.RISKY and why in judged.why


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC" at character 1'),
        ("SELECT 1; DROP TABLE t", "got 2. Send one statement at a time."),
        ("-- nothing", "got 0"),
        ("SELECT 'open", "unterminated quoted string"),
    ],
)
def test_what_is_not_one_statement_is_refused_in_postgres_words(sql: str, told: str) -> None:
    with pytest.raises(SqlFailed) as refusal:
        judge_sql(sql)
    assert told in str(refusal.value)
