create table rooms (
  id bigint generated always as identity primary key,
  name text not null check (length(name) <= 200),
  capacity integer,
  created_at timestamptz not null default now()
);
create index on rooms (created_at desc, id desc);

create table bookings (
  id bigint generated always as identity primary key,
  guest text not null check (length(guest) <= 200),
  email text check (length(email) <= 254),
  start_date date,
  end_date date,
  notes text check (length(notes) <= 10000),
  room_id bigint not null references rooms (id),
  created_at timestamptz not null default now()
);
create index on bookings (created_at desc, id desc);
create index on bookings (room_id);
