# PostgreSQL under pgbench in a machine that is killed: what was committed is there, and nothing else is.
#: as root tester
#: long
#: timeout 3600
[[ -x $(printf '%s\n' /usr/lib/postgresql/*/bin/pgbench | sort -V | tail -n 1) ]] || skip 'postgresql is not installed'
program=$PWD/Tests/tree/database.sh
cd "$TEST"
# As root the server is the user postgres.
chmod 755 . && mkdir -m 755 writes writes/d
step=("$NOVM" run --kernel cloud --memory 1G --cpus 2 --write "/srv/t=>$TEST/writes" -- "$program" /srv/t/d)

"${step[@]}" make
committed=0 transactions=0
for round in 1 2; do
  "${step[@]}" work >said &
  pid=$!
  until [[ $(wc -l <said) -ge 50 ]]; do
    kill -0 "$pid" || fail 'the machine ended by itself'
    sleep 0.2
  done
  kill -9 "$(pgrep -P "$pid" novmm)"
  wait "$pid" && fail 'novm did not notice'
  last=$(tail -n 1 said)
  "${step[@]}" check >checked || fail "round $round: not sound"
  IFS='|' read -r count most history <checked
  # The one that was under way when the machine ended may be there.
  ((count == most && most >= last && most <= last + 1)) || fail "round $round: $last were committed; $count of $most are there"
  ((last > committed && history > transactions)) || fail "round $round: nothing was done"
  committed=$most transactions=$history
  echo "round $round: $most numbers, $history transactions of pgbench"
done
