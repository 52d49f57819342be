# SQLite, git, fio, tar, gcc, PostgreSQL and stress-ng in a machine, on what it writes and on a share (Tests/tree/programs.sh).
#: as root tester
#: long
#: timeout 3600
run() { "$NOVM" run --kernel cloud --memory 1G --cpus 2 "$@"; }

mkdir "$TEST/writes" "$TEST/share"
chmod 755 "$TEST" "$TEST/writes" "$TEST/share"
# In the emulated host the stressors link and symlink take minutes to remove what they have made.
run --write "/srv/t=>$TEST/writes" --env STRESS_LIMIT=900 -- "$PWD/Tests/tree/programs.sh" /srv/t || fail 'on a write map'
run --share "/srv/t=>$TEST/share" -- "$PWD/Tests/tree/programs.sh" /srv/t sqlite git tar || fail 'on a share'
