create table customers (
  id bigint generated always as identity primary key,
  name text not null check (length(name) between 1 and 200),
  email text unique check (length(email) <= 254),
  website text,
  status text not null default 'lead' check (status in ('lead', 'active', 'former')),
  newsletter boolean not null default false,
  notes text,
  created_at timestamptz not null default now()
);

-- Lists are sorted by name.
create index customers_name_idx on customers (lower(name), id);
