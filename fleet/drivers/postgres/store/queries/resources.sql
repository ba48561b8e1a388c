-- name: register
insert into resources (kind, name, project, scope)
values (%(kind)s, %(name)s, %(project)s, %(scope)s)
on conflict on constraint resources_pk do update set scope = excluded.scope
where resources.project = excluded.project
returning name;

-- name: drop
delete from resources where kind = %(kind)s and name = %(name)s;

-- name: find
select project, kind, name, scope, created_at from resources
where (%(project)s::text is null or project = %(project)s)
  and (%(scope)s::text is null or scope = %(scope)s)
order by created_at, kind, name;
