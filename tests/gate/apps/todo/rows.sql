insert into todos (title, description, done, priority, due_date) values
  ('Water the plants', 'The ficus too.', false, 'high', '2020-01-31'),
  ('Nothing else known', null, true, 'low', null),
  ('Years away', repeat('Plan. ', 300), false, 'medium', '2099-12-31');
