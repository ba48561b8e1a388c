SELECT  -- a row per table of the schema public, partitions among them
    pg_catalog.quote_ident(c.relname) AS name,
    CASE
        -- Of a table never analysed only the counters since the last start are known.
        WHEN c.reltuples >= 0 OR pg_catalog.pg_stat_get_live_tuples(c.oid) > 0
            THEN greatest(c.reltuples::bigint, pg_catalog.pg_stat_get_live_tuples(c.oid))
        WHEN c.relkind = 'r' AND pg_catalog.pg_relation_size(c.oid) = 0 THEN 0
    END AS rows,
    count(*) OVER () AS tables,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', pg_catalog.quote_ident(a.attname),
            'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
            'not_null', a.attnotnull,
            'identity', a.attidentity,
            'generated', a.attgenerated <> '',
            'expression', left(pg_catalog.pg_get_expr(d.adbin, d.adrelid), 100),
            'key_part', coalesce(pg_catalog.array_position(p.conkey, a.attnum), 0),
            'key_parts', coalesce(pg_catalog.cardinality(p.conkey), 0),
            'references', (
                SELECT string_agg(
                    f.confrelid::regclass || '.' || pg_catalog.quote_ident(target.attname),
                    ', ' ORDER BY f.conname
                )
                FROM pg_catalog.pg_constraint f
                CROSS JOIN LATERAL unnest(f.conkey, f.confkey) AS pair (own, other)
                JOIN pg_catalog.pg_attribute target
                    ON target.attrelid = f.confrelid AND target.attnum = pair.other
                WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0
                    AND pair.own = a.attnum
            )
        ) ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute a
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_catalog.pg_constraint p ON p.conrelid = a.attrelid AND p.contype = 'p'
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    )::text AS columns  -- as text its length counts against the bound of every result
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
ORDER BY c.relname
