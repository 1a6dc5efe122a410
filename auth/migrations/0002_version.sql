-- The service looks at its start whether the tables are those of its version.
grant select on _sqlx_migrations to auth;
