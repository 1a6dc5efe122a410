-- People who come from a Django system bring the hashes of their passwords. A first log-in replaces such a hash by one of
-- ours; until then it is kept as Django wrote it.
alter table users drop constraint users_password_hash_shape;
alter table users add constraint users_password_hash_shape check (
    length(password_hash) <= 512
    and (
        -- Ours, a PHC string: $argon2id$v=19$m=…
        password_hash like '$argon2id$%'
        -- Django's: the name of the hasher before a PHC string, or iterations, salt and digest.
        or password_hash like 'argon2$argon2id$%'
        or password_hash ~ '^pbkdf2_sha256\$[1-9][0-9]{0,6}\$[^$]+\$[A-Za-z0-9+/]{43}=$'
        -- No password matches, until an administrator sets one.
        or password_hash = '!'
    )
);

-- Every log-in asks for the slowest of these hashes, and takes as long as it: see passwords.rs.
create index users_pbkdf2_iterations on users ((split_part(password_hash, '$', 2)::integer))
    where is_active and password_hash like 'pbkdf2_sha256$%';
