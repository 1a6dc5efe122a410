-- Sessions: a login, and what may be made of it until it ends.

-- Of the refresh tokens of a family the one of its generation is good. A token says its family and its generation, so
-- nothing of a token is kept here. `jti` is that of families that began before, until they are refreshed.
alter table refresh_families alter column jti drop not null;

alter table refresh_families drop constraint refresh_families_revoked_because_known;
alter table refresh_families add constraint refresh_families_revoked_because_known
    check (revoked_because ~ '^[a-z_]{1,64}$');

-- Tokens that were issued up to this second (since 1970) were revoked; those of later logins are issued behind it.
alter table users add column tokens_valid_after bigint not null default 0;
alter table service_accounts add column tokens_valid_after bigint not null default 0;
