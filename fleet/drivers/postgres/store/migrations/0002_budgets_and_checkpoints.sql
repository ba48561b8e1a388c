-- What a build costs and repeats, what its continued runs may spend, and what can be returned to.

alter table builds
    add column repeated_tokens bigint not null default 0,
    add column cost_microusd bigint not null default 0,
    -- Steps up to this one belong to budgets already spent: `--continue` grants a fresh one.
    add column budget_from integer not null default 0;

create table checkpoints (
    id text constraint checkpoints_pk primary key,
    project text not null constraint checkpoints_project_exists references projects on delete cascade,
    commit text not null,
    timeline text not null,
    lsn text not null,
    reason text not null,
    seq bigint generated always as identity,
    created_at timestamptz not null default clock_timestamp()
);
create index checkpoints_by_project on checkpoints (project, seq);

-- Verdicts by the content they judged: unchanged inputs are not checked again.
create table remembered_verdicts (
    project text not null constraint remembered_project_exists references projects on delete cascade,
    key text not null,
    verdict json not null,
    at timestamptz not null default clock_timestamp(),
    constraint remembered_verdicts_pk primary key (project, key)
);
