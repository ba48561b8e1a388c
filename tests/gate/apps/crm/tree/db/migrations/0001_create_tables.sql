create table customers (
  id bigint generated always as identity primary key,
  name text not null check (length(name) <= 200),
  email text check (length(email) <= 254),
  phone text check (length(phone) <= 200),
  created_at timestamptz not null default now()
);
create index on customers (created_at desc, id desc);

create table deals (
  id bigint generated always as identity primary key,
  title text not null check (length(title) <= 200),
  amount numeric(14, 2),
  stage text not null default 'lead' check (stage in ('lead', 'won', 'lost')),
  customer_id bigint not null references customers (id),
  created_at timestamptz not null default now()
);
create index on deals (created_at desc, id desc);
create index on deals (stage);
create index on deals (customer_id);
