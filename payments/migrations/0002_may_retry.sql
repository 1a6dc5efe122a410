-- Some rejections decide nothing: the token had expired, or a header contradicted the body. They leave the payment id
-- free, the same payment may be sent again, and then the row tells of the new request until that is answered.
--
-- So of a payment of which nothing is decided the latest request counts (`request_seq`), pending or rejected like that,
-- and of one that is decided the answer that decided it. Which of the two logs was projected first makes no difference.
alter table payment
    -- As the answer says it; false while pending, when settled, and of a rejection that used the payment id up.
    add column may_retry boolean not null default false,
    add constraint payment_may_retry_if_rejected check (status = 'rejected' or not may_retry);
