-- name: next_number
-- The project's row stays locked until commit: numbers have no gaps and appear in order.
update projects set last_event = last_event + 1 where id = %(project)s returning last_event;

-- name: add
insert into events (project, number, build, kind, payload)
values (%(project)s, %(number)s, %(build)s, %(kind)s, %(payload)s)
returning number, project, build, kind, payload::text, at;

-- name: after
select number, project, build, kind, payload::text, at from events
where project = %(project)s and number > %(after)s order by number limit %(limit)s;

-- name: last
select last_event from projects where id = %(project)s;

-- name: notify
select pg_notify(%(channel)s, %(payload)s);
