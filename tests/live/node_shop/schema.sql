create table orders (
    id text primary key,
    amount bigint not null,
    status text not null default 'pending',
    payment_intent text
);
