# Makes the login OWNER_NAME, or sets its password, and hands it the database
# PGDATABASE; and, if its name is set, the login ALTERNATE_NAME that acts as the
# owner. psql reads the passwords' SCRAM verifiers from the environment and sends
# nothing else, so that neither the process list nor the server's log holds a
# password.
set -eu
exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\getenv owner OWNER_NAME
\getenv verifier OWNER_VERIFIER
\getenv alternate ALTERNATE_NAME
\getenv alternate_verifier ALTERNATE_VERIFIER
\getenv database PGDATABASE
SELECT format('CREATE ROLE %I LOGIN', :'owner') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec
ALTER ROLE :"owner" WITH LOGIN PASSWORD :'verifier';
-- From version 16 on who makes a role is its member already, but may neither act
-- as it nor hand anything to it.
SELECT current_setting('server_version_num')::int >= 160000 AS options \gset
\if :options
GRANT :"owner" TO CURRENT_USER WITH INHERIT TRUE, SET TRUE;
\else
GRANT :"owner" TO CURRENT_USER;
\endif
ALTER DATABASE :"database" OWNER TO :"owner";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
ALTER SCHEMA public OWNER TO :"owner";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
\if :{?alternate}
SELECT format('CREATE ROLE %I LOGIN', :'alternate') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'alternate') \gexec
ALTER ROLE :"alternate" WITH LOGIN PASSWORD :'alternate_verifier';
GRANT :"owner" TO :"alternate";
-- Its sessions start as the owner: tables that a migration makes belong to the
-- owner whoever logged in, or the next migration could not change them.
ALTER ROLE :"alternate" SET role = :'owner';
\endif
SQL
