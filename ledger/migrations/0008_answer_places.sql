-- Message N answers request N, and streams count from 1.
alter table answer add constraint answer_request_seq_check check (request_seq > 0);
