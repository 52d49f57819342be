# What programs may expect of a file system (Tests/tree/behaviours.py), in a machine: where its writes go, and in shares.
#: as root tester/pci
#: long
#: timeout 1800
run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" --memory 1G "$@"; }

settings=
mkdir "$TEST/writes" "$TEST/auto" "$TEST/none"
check() {
  run "${@:2}" -- sh -c "mkdir $1/t && $settings python3 $PWD/Tests/tree/behaviours.py $1/t" || fail "$1: ${*:2}"
}
check /srv/t --write "/srv/t=>$TEST/writes"
check /srv/t --share "/srv/t=>$TEST/auto"
settings=TREE_CACHE=none
check /srv/t --share "/srv/t=>$TEST/none:cache=none"
