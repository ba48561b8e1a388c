-- name: add
insert into checkpoints (id, project, commit, timeline, lsn, reason, created_at)
values (%(id)s, %(project)s, %(commit)s, %(timeline)s, %(lsn)s, %(reason)s, %(created_at)s)
on conflict on constraint checkpoints_pk do nothing;

-- name: drop
delete from checkpoints where id = %(checkpoint)s;

-- name: of_project
select id, project, commit, timeline, lsn, reason, created_at from checkpoints
where project = %(project)s order by seq;
