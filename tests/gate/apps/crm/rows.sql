insert into customers (name, email, phone) values
  ('Acme Ltd', 'office@acme.example', '+44 20 7946 0000'),
  ('Müller & Söhne', null, null),
  ('O''Brien <Partners>', 'kim@obrien.example', null);
insert into deals (title, amount, stage, customer_id) values
  ('Spring order', 1999.90, 'lead', 1),
  ('No price yet', null, 'won', 2),
  ('100 % discount', 0, 'lost', 2);
