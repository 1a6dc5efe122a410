-- A payment id is unique almost by itself; compared first it decides, and the client's name, which most neighbours in the
-- index share, is hardly ever looked at.
create unique index answer_payment_id_first on answer (payment_id, client_id) where payment_id is not null;
drop index answer_payment_id_once;
alter index answer_payment_id_first rename to answer_payment_id_once;
