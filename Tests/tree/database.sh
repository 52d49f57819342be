#!/bin/bash
# PostgreSQL in DIRECTORY, for who ends the machine under it: database.sh DIRECTORY STEP.
#   make   makes a database with the tables of pgbench, and one of our own
#   work   runs pgbench and, beside it, commits the numbers from 1 on, each said once it is committed; does not end
#   check  starts what was left, and holds it against itself: says how many numbers are there without a gap
set -euo pipefail
directory=$1 step=$2
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
as=()
if [[ $(id -u) == 0 ]]; then as=(setpriv --reuid=postgres --regid=postgres --clear-groups); fi
pg() { "${as[@]}" "$bin/$1" "${@:2}"; }
sql() { pg psql -h "$directory" -d postgres -qAt -v ON_ERROR_STOP=1 "$@"; }
bench() { pg pgbench -h "$directory" -d postgres "$@"; }
start() { pg pg_ctl -D "$directory/data" -w -t 600 -s -o "-k $directory -h '' -c max_wal_size=32MB" -l "$directory/log" start; }
stop() { pg pg_ctl -D "$directory/data" -w -s stop; }

case $step in
  make)
    [[ $(id -u) != 0 ]] || chown postgres "$directory"
    pg initdb -D "$directory/data" -A trust --data-checksums >/dev/null
    start
    sql -c 'create table numbers(n integer primary key)'
    bench -q -i -s 1 2>/dev/null
    stop
    ;;
  work)
    start
    bench -n -c 4 -T 3600 >"$directory/bench.log" 2>&1 &
    first=$(sql -c 'select coalesce(max(n), 0) + 1 from numbers')
    # One connection, which answers each commit in turn.
    seq "$first" 1000000 | sed 's/.*/insert into numbers values(&) returning n;/' | sql
    ;;
  check)
    # Its process is another's here, or nobody's.
    rm -f "$directory/data/postmaster.pid"
    start
    # What each transaction of pgbench keeps equal.
    [[ $(sql -c 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
        and (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history)
        and (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)') == t ]]
    sql -c 'create extension if not exists amcheck'
    sql -c "select bt_index_check(indexrelid, true) from pg_index
      where indrelid::regclass::text ~ '^(pgbench_|numbers)'" >/dev/null
    sql -c 'select count(*), max(n), (select count(*) from pgbench_history) from numbers'
    stop
    pg pg_checksums -D "$directory/data" --check >/dev/null
    ;;
esac
