create table invoices (
  id bigint generated always as identity primary key,
  customer_id bigint not null references customers (id),
  number text not null unique,
  amount numeric(14, 2) not null check (amount >= 0),
  hours numeric(12, 4),
  items integer not null default 1 check (items > 0),
  due_on date not null,
  sent_at timestamptz,
  created_at timestamptz not null default now()
);

create index invoices_customer_id_idx on invoices (customer_id);
