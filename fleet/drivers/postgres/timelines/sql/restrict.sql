-- Run once, in app, when the template is made. Other databases only make every copy larger.
ALTER DATABASE template1 IS_TEMPLATE false;
ALTER DATABASE template0 IS_TEMPLATE false;
DROP DATABASE template1;
DROP DATABASE template0;
REVOKE ALL ON DATABASE app FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_import(text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_import(text, oid) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_export(oid, text) FROM PUBLIC;
ALTER ROLE app SET statement_timeout = '60s';
ALTER ROLE app SET lock_timeout = '10s';
ALTER ROLE app SET idle_in_transaction_session_timeout = '60s';
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
