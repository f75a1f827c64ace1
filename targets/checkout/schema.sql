-- The tables of the checkout service, the same for every build. Money is in minor units of its currency.

create table stock (
    sku text primary key,
    available integer not null check (available >= 0)
);

create table orders (
    id text primary key,
    sku text not null references stock (sku),
    quantity integer not null check (quantity > 0),
    amount integer not null check (amount > 0),
    currency text not null,
    email text not null,
    status text not null check (status in ('pending', 'processing', 'paid', 'failed', 'refunded')),
    failure_code text,
    payment_intent text,
    idempotency_key text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- Every status an order ever had, whoever wrote it. old_status is null for a new order.
create table order_status_changes (
    seq bigint generated always as identity primary key,
    order_id text not null,
    old_status text,
    new_status text not null,
    changed_at timestamptz not null default now()
);

create function record_order_status() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into order_status_changes (order_id, new_status) values (new.id, new.status);
    elsif old.status is distinct from new.status then
        insert into order_status_changes (order_id, old_status, new_status) values (new.id, old.status, new.status);
    end if;
    return null;
end $$;

create trigger record_order_status after insert or update of status on orders
    for each row execute function record_order_status();

-- One row per Idempotency-Key of a customer. The answer is null until it is final.
create table idempotency_keys (
    key text primary key,
    fingerprint text not null,
    order_id text not null,
    attempt_id uuid,
    status_code integer,
    response text,
    created_at timestamptz not null default now()
);

-- One attempt to pay for an order. provider_key is the Idempotency-Key sent to the provider.
-- due_at: when the worker looks at the attempt again; null means nothing is left to do.
create table checkout_attempts (
    id uuid primary key,
    order_id text not null references orders (id),
    idempotency_key text not null,
    provider_key text not null unique,
    payment_method text not null,
    state text not null,
    payment_intent text,
    refund text,
    failure_code text,
    tries integer not null default 0,
    due_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index checkout_attempts_due on checkout_attempts (due_at) where due_at is not null;

-- Every state an attempt went through, in order.
create table attempt_transitions (
    seq bigint generated always as identity primary key,
    attempt_id uuid not null,
    state text not null,
    at timestamptz not null default now()
);

-- What other parts of the business must hear of, written in the transaction that made it true.
create table outbox (
    id bigint generated always as identity primary key,
    kind text not null,
    order_id text not null,
    attempt_id uuid not null,
    created_at timestamptz not null default now(),
    published_at timestamptz
);
create index outbox_unpublished on outbox (id) where published_at is null;

-- Deduplication: events of the provider, and outbox events per consumer.
create table processed_events (
    event_id text primary key,
    kind text not null,
    processed_at timestamptz not null default now()
);
create table consumed_events (
    consumer text not null,
    event_id bigint not null,
    consumed_at timestamptz not null default now(),
    primary key (consumer, event_id)
);

-- The effects of a paid order. In production these are calls to other systems; here each call is a row.
create table stock_movements (
    id bigint generated always as identity primary key,
    order_id text not null,
    sku text not null,
    quantity integer not null,
    moved_at timestamptz not null default now()
);
create table emails (
    id bigint generated always as identity primary key,
    order_id text not null,
    recipient text not null,
    kind text not null,
    sent_at timestamptz not null default now()
);
create table fulfilments (
    id bigint generated always as identity primary key,
    order_id text not null,
    sku text not null,
    quantity integer not null,
    created_at timestamptz not null default now()
);

insert into stock (sku, available) values ('book', 1000), ('mug', 100), ('poster', 5), ('last-ticket', 1), ('sold-out', 0);
