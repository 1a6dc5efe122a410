-- Receipts: a Merkle tree over all answers, so that whoever has one answer can prove that it is in the log, with a few
-- hashes and a signature. `ledger/src/core/merkle.rs` has the tree, `ledger/src/receipts.rs` what is in a leaf.
--
-- A task follows the answers and writes these tables; no payment waits for it. All of it can be made again from `answer`,
-- except the signatures.

-- How many answers are in the tree: all up to this sequence. Moved by compare-and-set, as the cursor is.
create table tree (
    only_row boolean primary key default true constraint tree_has_one_row check (only_row),
    size bigint not null constraint tree_size_is_not_negative check (size >= 0)
);
insert into tree (size) values (0);

-- The tree's hashes, up to 256 in a row, each the root of 256^level leaves. Source: c2sp.org/tlog-tiles.
create table tile (
    level smallint not null,
    number bigint not null,
    hashes bytea not null constraint tile_has_1_to_256_hashes
        check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0),
    constraint tile_pkey primary key (level, number)
);

-- A hash is never changed, only hashes behind it are added.
create function refuse_change_of_tile() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.level = old.level and new.number = old.number
        and substr(new.hashes, 1, octet_length(old.hashes)) = old.hashes then
        return new;
    end if;
    raise exception 'tile only grows' using errcode = 'insufficient_privilege';
end $$;
create trigger tile_only_grows before update or delete on tile for each row execute function refuse_change_of_tile();
create trigger tile_is_kept before truncate on tile for each statement execute function refuse_change_of_history();

-- What was signed: the root of the tree of so many leaves. What was given out must stay true for ever.
create table checkpoint (
    size bigint constraint checkpoint_pkey primary key constraint checkpoint_size_is_positive check (size > 0),
    root bytea not null constraint checkpoint_root_is_sha256 check (octet_length(root) = 32),
    -- The whole signed note. Source: c2sp.org/signed-note, c2sp.org/tlog-checkpoint.
    note text not null,
    signed_at timestamptz not null
);
create trigger checkpoint_is_append_only before update or delete or truncate on checkpoint
    for each statement execute function refuse_change_of_history();

grant select on tree to ledger;
grant update (size) on tree to ledger;
grant select, insert on tile to ledger;
grant update (hashes) on tile to ledger;
grant select, insert on checkpoint to ledger;
grant select on tree, tile, checkpoint to audit;
