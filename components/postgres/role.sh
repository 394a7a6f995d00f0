# Makes ROLE_NAME, or sets its password, and hands it the database PGDATABASE.
# psql reads the password's SCRAM verifier from the environment and sends nothing
# else, so that neither the process list nor the server's log holds a password.
set -eu
exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\getenv role ROLE_NAME
\getenv verifier ROLE_VERIFIER
\getenv database PGDATABASE
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" WITH LOGIN PASSWORD :'verifier';
-- From version 16 on who makes a role is its member already, but may neither act
-- as it nor hand anything to it.
SELECT current_setting('server_version_num')::int >= 160000 AS options \gset
\if :options
GRANT :"role" TO CURRENT_USER WITH INHERIT TRUE, SET TRUE;
\else
GRANT :"role" TO CURRENT_USER;
\endif
ALTER DATABASE :"database" OWNER TO :"role";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
ALTER SCHEMA public OWNER TO :"role";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
