insert into rooms (name, capacity) values ('Blue room', 12), ('Attic', null);
insert into bookings (guest, email, start_date, end_date, notes, room_id) values
  ('Ines Castro', 'ines@example.com', '2026-02-28', '2026-03-01', 'Arrives late.', 1),
  ('Walk-in', null, null, null, null, 2),
  ('Old guest', null, '1999-12-31', '2000-01-01', repeat('x', 5000), 1);
