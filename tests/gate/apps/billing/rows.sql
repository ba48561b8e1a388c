insert into customers (name, email, website, status, newsletter, notes) values
  ('Grace Hopper', 'grace@example.com', 'https://example.com/grace', 'active', true, 'Likes short reports.'),
  ('Alan Turing', null, null, 'lead', false, null),
  ('Katherine Johnson', 'katherine@example.com', null, 'former', false, 'A long note, ' || repeat('very ', 200) || 'long.');
insert into invoices (customer_id, number, amount, hours, items, due_on, sent_at) values
  (1, '2025-001', 1250.50, 12.5, 3, '2025-12-31', '2025-12-01T09:30:00Z'),
  (1, '2025-002', 0, null, 1, '2024-02-29', null),
  (2, '2025-003', 99999999999.99, 0.25, 40, '2026-06-30', null);
