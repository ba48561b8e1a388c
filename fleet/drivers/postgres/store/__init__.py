"""The record on Postgres: SQL in `queries/` and `migrations/`, one module per subject."""
