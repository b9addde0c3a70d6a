-- Redis runs a sale and knows whether it is paused; a sale that Redis has lost comes back as it was.
alter table sales add column paused boolean not null default false;
