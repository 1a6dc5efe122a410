-- Bank staff look for a payment by its id alone, and do not know which client chose it. With the id first, the index of
-- the primary key finds it; every other look at this key names both columns.
alter table payment
    drop constraint payment_pkey,
    add constraint payment_pkey primary key (payment_id, client_id);
