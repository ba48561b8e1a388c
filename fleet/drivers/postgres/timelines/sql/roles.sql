-- Run once, in template1, when the template is made.
SET scram_iterations = 1;  -- the password is 256 random bits: stretching it only costs time
ALTER DATABASE postgres RENAME TO app;
CREATE ROLE app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT;
ALTER DATABASE app OWNER TO app;
