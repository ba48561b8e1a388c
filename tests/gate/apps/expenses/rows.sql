insert into expenses (title, amount, category, spent_on_date, reimbursed) values
  ('Train to Lyon', 84.20, 'travel', '2026-01-12', 'yes'),
  ('Lunch', null, 'food', null, null),
  ('Chairs', 12000.00, 'office', '2020-02-29', 'in part, see mail');
