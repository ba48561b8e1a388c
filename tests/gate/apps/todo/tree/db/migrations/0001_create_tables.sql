create table todos (
  id bigint generated always as identity primary key,
  title text not null check (length(title) <= 200),
  description text check (length(description) <= 10000),
  done boolean not null default false,
  priority text not null default 'low' check (priority in ('low', 'medium', 'high')),
  due_date date,
  created_at timestamptz not null default now()
);
create index on todos (created_at desc, id desc);
create index on todos (priority);
