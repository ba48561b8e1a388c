-- What an owner's builds spent, by the minute: one look-up before each step, and no project that
-- is forgotten gives its owner back what it cost.

create table spending (
    owner text not null constraint spending_owner_exists references owners,
    minute timestamptz not null,
    steps bigint not null,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    completions bigint not null,
    repeated_tokens bigint not null,
    cost_microusd bigint not null,
    wall_s double precision not null,
    constraint spending_pk primary key (owner, minute)
);

insert into spending
select p.owner, date_trunc('minute', s.created_at), count(*),
       sum((s.usage->>'prompt_tokens')::bigint),
       sum((s.usage->>'completion_tokens')::bigint),
       sum((s.usage->>'completions')::bigint),
       0, 0, sum(s.elapsed_s)
from steps s join builds b on b.id = s.build join projects p on p.id = b.project
group by 1, 2;
