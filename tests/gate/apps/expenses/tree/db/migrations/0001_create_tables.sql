create table expenses (
  id bigint generated always as identity primary key,
  title text not null check (length(title) <= 200),
  amount numeric(14, 2),
  category text not null default 'travel' check (category in ('travel', 'food', 'office')),
  spent_on_date date,
  reimbursed text check (length(reimbursed) <= 200),
  created_at timestamptz not null default now()
);
create index on expenses (created_at desc, id desc);
create index on expenses (category);
