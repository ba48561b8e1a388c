CREATE SCHEMA IF NOT EXISTS appfleet;
CREATE TABLE IF NOT EXISTS appfleet.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
