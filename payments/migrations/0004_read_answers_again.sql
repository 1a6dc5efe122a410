-- A version of this service that did not know `balance: null` passed over settlements that have it: their payments stayed
-- pending. From the first of these on the answers are read once more, which changes nothing of what is projected already.
update cursor
set seq = least(seq, coalesce((select min(request_seq) - 1 from payment where status = 'pending'), seq))
where stream = 'SETTLEMENTS';
