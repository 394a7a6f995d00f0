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
SELECT format('GRANT %I TO CURRENT_USER', :'role') WHERE NOT pg_has_role(CURRENT_USER, :'role', 'MEMBER') \gexec
ALTER DATABASE :"database" OWNER TO :"role";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
ALTER SCHEMA public OWNER TO :"role";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
