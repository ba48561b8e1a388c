-- name: continue
update builds set
    state = %(state)s,
    explanation = '',
    started_at = null,
    finished_at = null,
    budget_from = last_step
where id = %(build)s;

-- name: newest
select id from builds where project = %(project)s order by seq desc limit 1;

-- name: spend
insert into spending (owner, minute, steps, prompt_tokens, completion_tokens, completions,
                      repeated_tokens, cost_microusd, wall_s)
select p.owner, date_trunc('minute', %(at)s), %(steps)s, %(prompt_tokens)s, %(completion_tokens)s,
       %(completions)s, %(repeated_tokens)s, %(cost_microusd)s, %(wall_s)s
from builds b join projects p on p.id = b.project
where b.id = %(build)s
on conflict on constraint spending_pk do update set
    steps = spending.steps + excluded.steps,
    prompt_tokens = spending.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = spending.completion_tokens + excluded.completion_tokens,
    completions = spending.completions + excluded.completions,
    repeated_tokens = spending.repeated_tokens + excluded.repeated_tokens,
    cost_microusd = spending.cost_microusd + excluded.cost_microusd,
    wall_s = spending.wall_s + excluded.wall_s;

-- name: spent
select o.id,
       coalesce(sum(s.steps), 0)::bigint as steps,
       coalesce(sum(s.prompt_tokens), 0)::bigint as prompt_tokens,
       coalesce(sum(s.completion_tokens), 0)::bigint as completion_tokens,
       coalesce(sum(s.completions), 0)::bigint as completions,
       coalesce(sum(s.repeated_tokens), 0)::bigint as repeated_tokens,
       coalesce(sum(s.cost_microusd), 0)::bigint as cost_microusd,
       coalesce(sum(s.wall_s), 0) as wall_s
from owners o left join spending s on s.owner = o.id and s.minute >= %(since)s
where o.id = %(owner)s
group by o.id;

-- name: spent_by_all
select coalesce(sum(s.steps), 0)::bigint as steps,
       coalesce(sum(s.prompt_tokens), 0)::bigint as prompt_tokens,
       coalesce(sum(s.completion_tokens), 0)::bigint as completion_tokens,
       coalesce(sum(s.completions), 0)::bigint as completions,
       coalesce(sum(s.repeated_tokens), 0)::bigint as repeated_tokens,
       coalesce(sum(s.cost_microusd), 0)::bigint as cost_microusd,
       coalesce(sum(s.wall_s), 0) as wall_s,
       (select count(*) from projects) as projects
from spending s;
