-- name: fence
-- Locked until the write commits, so that no successor slips in between check and write.
select token from leases where key = %(key)s and token = %(token)s for share;

-- name: acquire
insert into leases (key, token, holder, expires_at)
values (%(key)s, nextval('lease_tokens'), %(holder)s, clock_timestamp() + %(ttl)s)
on conflict (key) do update set
    token = nextval('lease_tokens'), holder = excluded.holder, expires_at = excluded.expires_at
where leases.expires_at <= clock_timestamp() or (leases.holder = excluded.holder and %(again)s)
returning key, token, holder, expires_at;

-- name: renew
update leases set expires_at = clock_timestamp() + %(ttl)s
where key = %(key)s and token = %(token)s
returning key, token, holder, expires_at;

-- name: release
delete from leases where key = %(key)s and token = %(token)s returning key;

-- name: release_of
delete from leases where holder = %(holder)s returning key;

-- name: candidates
-- Only the oldest unfinished build of a project, so one runs per project. An owner's builds are
-- ranked behind those that the owner has running already: owners take turns.
with oldest as (
    select distinct on (b.project) b.id, b.seq, p.owner
    from builds b join projects p on p.id = b.project
    where b.finished_at is null and p.state = 'active'
    order by b.project, b.seq
), running as (
    select p.owner, count(*) as builds
    from leases l
    join builds b on l.key = 'build:' || b.id and b.finished_at is null
    join projects p on p.id = b.project
    where l.expires_at > clock_timestamp()
    group by p.owner
), free as (
    select o.id, o.seq, o.owner from oldest o
    where not exists (
        select from leases l where l.key = 'build:' || o.id and l.expires_at > clock_timestamp()
    )
)
select f.id
from free f left join running r on r.owner = f.owner
order by
    coalesce(r.builds, 0) + row_number() over (partition by f.owner order by f.seq),
    f.seq
limit %(limit)s;

-- name: still_open
select 1 as yes from builds b join projects p on p.id = b.project
where b.id = %(build)s and b.finished_at is null and p.state = 'active';

-- name: next_expiry
-- Against now(), the transaction's start: a lease that expired since then counts, so that it is
-- not lost between the look at the candidates and this one.
select extract(epoch from min(l.expires_at) - clock_timestamp())::double precision as seconds
from leases l join builds b on l.key = 'build:' || b.id
where b.finished_at is null and l.expires_at > now();
