-- name: add_message
insert into messages (id, project, text) values (%(id)s, %(project)s, %(text)s)
returning id, project, text, created_at;

-- name: add
insert into builds (id, project, message, model, state)
values (%(id)s, %(project)s, %(message)s, %(model)s, %(state)s);

-- name: one
select b.id, b.project, b.message, m.text, b.model, b.state, b.plan::text, b.base, b.commit,
       b.explanation, b.prompt_tokens, b.completion_tokens, b.completions, b.repeated_tokens,
       b.cost_microusd, b.budget_from, b.created_at, b.started_at, b.finished_at
from builds b join messages m on m.id = b.message
where b.id = %(build)s;

-- name: lock
select id from builds where id = %(build)s for no key update;

-- name: lock_project
-- Before the build's own row: whoever locks both takes them in this order.
select p.id from projects p join builds b on b.project = p.id
where b.id = %(build)s
for no key update of p;

-- name: of_project
select b.id, b.project, b.message, m.text, b.model, b.state, b.plan::text, b.base, b.commit,
       b.explanation, b.prompt_tokens, b.completion_tokens, b.completions, b.repeated_tokens,
       b.cost_microusd, b.budget_from, b.created_at, b.started_at, b.finished_at
from builds b join messages m on m.id = b.message
where b.project = %(project)s
order by b.seq;

-- name: newest
select distinct on (b.project)
       b.id, b.project, b.message, m.text, b.model, b.state, b.plan::text, b.base, b.commit,
       b.explanation, b.prompt_tokens, b.completion_tokens, b.completions, b.repeated_tokens,
       b.cost_microusd, b.budget_from, b.created_at, b.started_at, b.finished_at
from projects p join builds b on b.project = p.id join messages m on m.id = b.message
where p.owner = %(owner)s
order by b.project, b.seq desc;

-- name: count_states
select state, count(*) as builds from builds group by state;

-- name: unfinished
select b.id, b.project, b.message, m.text, b.model, b.state, b.plan::text, b.base, b.commit,
       b.explanation, b.prompt_tokens, b.completion_tokens, b.completions, b.repeated_tokens,
       b.cost_microusd, b.budget_from, b.created_at, b.started_at, b.finished_at
from builds b join messages m on m.id = b.message
where b.finished_at is null
order by b.seq;

-- name: advance
update builds set
    state = %(state)s,
    explanation = %(explanation)s,
    started_at = coalesce(started_at, case when %(starts)s then clock_timestamp() end),
    finished_at = case when %(ends)s then clock_timestamp() end
where id = %(build)s;

-- name: save_plan
update builds set plan = %(plan)s, base = %(base)s where id = %(build)s;

-- name: set_commit
update builds set commit = %(commit)s where id = %(build)s returning id;

-- name: add_task
insert into tasks (id, build, position, title, state)
values (%(id)s, %(build)s, %(position)s, %(title)s, %(state)s);

-- name: tasks
select id, build, position, title, state, attempts from tasks
where build = %(build)s order by position;

-- name: task
select id, build, position, title, state, attempts from tasks where id = %(task)s for update;

-- name: move_task
update tasks set state = %(state)s, attempts = %(attempts)s where id = %(task)s
returning id, build, position, title, state, attempts;

-- name: count_step
update builds set
    last_step = last_step + 1,
    prompt_tokens = prompt_tokens + %(prompt_tokens)s,
    completion_tokens = completion_tokens + %(completion_tokens)s,
    completions = completions + %(completions)s,
    repeated_tokens = repeated_tokens + %(repeated_tokens)s,
    cost_microusd = cost_microusd + %(cost_microusd)s
where id = %(build)s
returning last_step;

-- name: add_step
insert into steps (build, number, task, kind, title, messages, writes, facts, usage, elapsed_s)
values (%(build)s, %(number)s, %(task)s, %(kind)s, %(title)s, %(messages)s, %(writes)s, %(facts)s,
        %(usage)s, %(elapsed_s)s)
returning number, build, task, kind, title, messages::text, writes::text, facts::text,
          usage::text, elapsed_s, created_at;

-- name: steps_above
select number, build, task, kind, title, messages::text, writes::text, facts::text, usage::text,
       elapsed_s, created_at
from steps where build = %(build)s and number > %(after)s order by number;

-- name: steps
select number, build, task, kind, title, messages::text, writes::text, facts::text, usage::text,
       elapsed_s, created_at
from steps where build = %(build)s order by number;
