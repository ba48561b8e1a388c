-- The record. JSON documents are of type `json`, not `jsonb`: they are read back whole, and `json`
-- keeps what was written, an escaped NUL included.

create table owners (
    id text constraint owners_pk primary key,
    name text not null constraint owners_name_unique unique,
    created_at timestamptz not null default clock_timestamp()
);

create table tokens (
    hash text constraint tokens_pk primary key,
    owner text not null constraint tokens_owner_exists references owners,
    label text not null,
    created_at timestamptz not null default clock_timestamp()
);

-- Never deleted from: the names of databases, repositories and hosts derive from a project's id,
-- so an id must not return after its project is forgotten.
create table project_ids (
    id text constraint project_id_taken primary key
);

create table projects (
    id text constraint projects_pk primary key references project_ids,
    owner text not null constraint projects_owner_exists references owners,
    title text not null,
    state text not null,
    spec json not null,
    head text,
    last_event bigint not null default 0,
    seq bigint generated always as identity,
    created_at timestamptz not null default clock_timestamp()
);
create index projects_by_owner on projects (owner, seq);

create table messages (
    id text constraint messages_pk primary key,
    project text not null constraint messages_project_exists references projects on delete cascade,
    text text not null,
    created_at timestamptz not null default clock_timestamp()
);
create index messages_by_project on messages (project);

create table builds (
    id text constraint builds_pk primary key,
    project text not null constraint builds_project_exists references projects on delete cascade,
    message text not null references messages on delete cascade,
    model text,
    state text not null,
    plan json,
    base text,
    commit text,
    explanation text not null default '',
    prompt_tokens bigint not null default 0,
    completion_tokens bigint not null default 0,
    completions bigint not null default 0,
    last_step integer not null default 0,
    seq bigint generated always as identity,
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz
);
create index builds_by_project on builds (project, seq);
create index builds_by_message on builds (message);
create index builds_unfinished on builds (project, seq) where finished_at is null;

create table tasks (
    id text constraint tasks_pk primary key,
    build text not null constraint tasks_build_exists references builds on delete cascade,
    position integer not null,
    title text not null,
    state text not null,
    attempts integer not null default 0,
    constraint tasks_position_unique unique (build, position)
);

create table steps (
    build text not null constraint steps_build_exists references builds on delete cascade,
    number integer not null,
    task text constraint steps_task_exists references tasks on delete cascade,
    kind text not null,
    title text not null,
    messages json not null,
    writes json not null,
    facts json not null,
    usage json not null,
    elapsed_s double precision not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint steps_pk primary key (build, number)
);
create index steps_by_task on steps (task);

create table verdicts (
    task text not null constraint verdicts_task_exists references tasks on delete cascade,
    attempt integer not null,
    build text not null references builds on delete cascade,
    verdict json not null,
    at timestamptz not null default clock_timestamp(),
    constraint verdicts_pk primary key (task, attempt)
);
create index verdicts_by_build on verdicts (build);

create table events (
    project text not null constraint events_project_exists references projects on delete cascade,
    number bigint not null,
    build text constraint events_build_exists references builds on delete cascade,
    kind text not null,
    payload json not null,
    at timestamptz not null default clock_timestamp(),
    constraint events_pk primary key (project, number)
);
create index events_by_build on events (build);

create sequence lease_tokens;
create table leases (
    key text constraint leases_pk primary key,
    token bigint not null,
    holder text not null,
    expires_at timestamptz not null
);
create index leases_by_holder on leases (holder);

-- No cascade: a project cannot be forgotten while something of it may still exist outside.
create table resources (
    kind text not null,
    name text not null,
    project text not null constraint resources_project_exists references projects,
    scope text not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint resources_pk primary key (kind, name)
);
create index resources_by_project on resources (project, scope);
create index resources_by_scope on resources (scope);
