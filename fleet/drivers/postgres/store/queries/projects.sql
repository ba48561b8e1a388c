-- name: add_owner
insert into owners (id, name) values (%(id)s, %(name)s) on conflict (name) do nothing;

-- name: owner_by_name
select id, name from owners where name = %(name)s;

-- name: add_token
insert into tokens (hash, owner, label) values (%(hash)s, %(owner)s, %(label)s)
on conflict (hash) do update set label = excluded.label where tokens.owner = excluded.owner
returning hash;

-- name: owner_of_token
select o.id, o.name from tokens t join owners o on o.id = t.owner where t.hash = %(hash)s;

-- name: take_id
insert into project_ids (id) values (%(project)s);

-- name: add
insert into projects (id, owner, title, state, spec)
values (%(project)s, %(owner)s, %(title)s, %(state)s, %(spec)s);

-- name: one
select id, owner, title, state, spec::text, head, created_at from projects where id = %(project)s;

-- name: one_locked
select id, owner, title, state, spec::text, head, created_at from projects where id = %(project)s
for no key update;

-- name: every
select id, owner, title, state, spec::text, head, created_at from projects
where %(owner)s::text is null or owner = %(owner)s
order by seq;

-- name: set_title
update projects set title = %(title)s where id = %(project)s returning id;

-- name: set_head
update projects set head = %(head)s where id = %(project)s returning id;

-- name: set_spec
update projects set spec = %(spec)s where id = %(project)s returning id;

-- name: set_state
update projects set state = %(state)s where id = %(project)s;

-- name: forget_leases
delete from leases where key in (select 'build:' || id from builds where project = %(project)s);

-- name: forget
delete from projects where id = %(project)s returning id;
