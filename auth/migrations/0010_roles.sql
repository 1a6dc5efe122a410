-- Who works at the bank and also decides who else does.
alter table users drop constraint users_role_known;
alter table users add constraint users_role_known check (role in ('customer', 'staff', 'admin'));
