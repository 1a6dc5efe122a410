-- A hold's reference may have a NUL, as a payment's may: JSON can say it, the rules take it, and `text` can't hold it. A
-- request that was decided and can't be written would stop the ledger for ever.
-- Who reads the holds for long shall not have payments wait behind this: run it again then.
set local lock_timeout = '5s';
alter table hold add column reference_with_nul bytea
    constraint hold_reference_with_nul_is_one check (position('\x00'::bytea in reference_with_nul) > 0);
comment on column hold.reference_with_nul is 'The reference in UTF-8 when it has a NUL; then there is no other.';
alter table hold add constraint hold_has_one_reference check (reference is null or reference_with_nul is null);
