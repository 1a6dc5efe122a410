-- History: the books as they were, by two clocks. A posting is booked when its request was published, which its answer
-- says; it counts from its value date, which is nearly always the same day. So questions about a moment are answered without
-- a time in `posting`, and without an index that every payment would have to keep up.

-- The postings whose value date is not the day of their request. They are rare, so both corrections of a balance by value
-- date are short walks here, and a plain payment never touches it.
create index posting_value_date on posting (account_seq, effective_date, number) include (amount)
    where effective_date is not null;

-- The last request that was decided before a moment; 0 when all came later. Null stands for the end of time.
--
-- `published_at` grows with the sequence, so the primary key finds it: from the newest in growing steps back, then by halves.
-- That is one look for now, some forty for a day among a thousand million requests. An index on `published_at` would
-- cost every payment.
create function seq_before(moment timestamptz) returns bigint language plpgsql stable as $$
declare
    low bigint := 0;
    high bigint;
    middle bigint;
    step bigint := 1;
    is_before boolean;
begin
    select seq into high from cursor;
    if moment is null then
        return high;
    end if;
    middle := high;
    while low < high loop
        select published_at < moment into is_before from answer
        where request_seq <= middle order by request_seq desc limit 1;
        if is_before then
            low := middle;
        else
            high := middle - 1;
        end if;
        if low = 0 then
            middle := greatest(high - step, (high + 1) / 2);
            step := step * 2;
        else
            middle := low + (high - low + 1) / 2;
        end if;
    end loop;
    return low;
end $$;

-- The number of an account's last posting that was booked by a request up to this one; 0 when there is none. Numbers grow
-- with the sequence, and the search is the same: one look for an account that was quiet since.
create function posting_number_at(account bigint, last_seq bigint) returns bigint language plpgsql stable as $$
declare
    low bigint := 0;
    high bigint;
    middle bigint;
    step bigint := 1;
    is_in boolean;
begin
    select number into high from posting where account_seq = account order by number desc limit 1;
    if high is null or last_seq <= 0 then
        return 0;
    end if;
    middle := high;
    while low < high loop
        select request_seq <= last_seq into is_in from posting
        where account_seq = account and number <= middle order by number desc limit 1;
        if is_in then
            low := middle;
        else
            high := middle - 1;
        end if;
        if low = 0 then
            middle := greatest(high - step, (high + 1) / 2);
            step := step * 2;
        else
            middle := low + (high - low + 1) / 2;
        end if;
    end loop;
    return low;
end $$;

-- A session plans these once, perhaps while the tables are nearly empty, and keeps the plan. So it is not left a choice.
alter function seq_before set enable_seqscan = off;
alter function seq_before set enable_bitmapscan = off;
alter function posting_number_at set enable_seqscan = off;
alter function posting_number_at set enable_bitmapscan = off;
