-- name: add
insert into verdicts (task, attempt, build, verdict)
values (%(task)s, %(attempt)s, %(build)s, %(verdict)s)
on conflict on constraint verdicts_pk do nothing;

-- name: of_build
select v.task, v.attempt, v.verdict::text, v.at
from verdicts v join tasks t on t.id = v.task
where v.build = %(build)s order by t.position, v.attempt;

-- name: remember
insert into remembered_verdicts (project, key, verdict)
values (%(project)s, %(key)s, %(verdict)s)
on conflict on constraint remembered_verdicts_pk do update set
    verdict = excluded.verdict, at = clock_timestamp();

-- name: remembered
select verdict::text from remembered_verdicts where project = %(project)s and key = %(key)s;
