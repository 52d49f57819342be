# Templates: the first machine of a kind boots and has one made, the next begin with it and are what they would be otherwise. A
# template that was written to or cut short is replaced, another machine's is another, and prune removes all.
#: as root tester/pci
#: timeout 900
export NOVM_TEMPLATE=auto
templates=$NOVM_ROOT/templates
run() { "$NOVM" run --verbose --kernel "$KERNEL" --transport "$TRANSPORT" --memory 256 "$@" 2>"$TEST/errors"; }
made() { compgen -G "$templates/*.*-*" >/dev/null && ! compgen -G "$templates/new.*" >/dev/null; }
two() { [[ $(compgen -G "$templates/*.*-*" | wc -l) == 2 ]]; }
says() { grep -q "$1" "$TEST/errors" || fail "no '$1': $(<"$TEST/errors") $(cat "$templates/log")"; }
never_says() { ! grep -q "$1" "$TEST/errors" || fail "it says '$1': $(<"$TEST/errors") $(cat "$templates/log")"; }
boots() { says ' boots'; }
begins() {
  says 'begins with the template'
  never_says ' boots'
}

# shellcheck disable=SC2016 # for the shells in there
what='cat; echo "$PWD $(hostname) $(id -u) $(cat /src/file)"; echo e >&2; exit 42'
mkdir "$TEST/src" "$TEST/kept"
echo content >"$TEST/src/file"
look() {
  local status=0
  echo in | run --hostname "$1" --share "/src=>$TEST/src:ro" --write "$TEST/kept" --cwd /tmp --env LANG=C -- \
    sh -c "echo $1 >/root/$1; $what" >"$TEST/output.$1" || status=$?
  echo "$status" >>"$TEST/output.$1"
  sed "s/ $1 / name /" "$TEST/output.$1"
  [[ $(<"$TEST/kept/root/$1") == "$1" ]] || fail "nothing written: $(ls -lR "$TEST/kept")"
}
first=$(look one)
boots
[[ $first == $'in\n/tmp name 0 content\n42' ]] || fail "$first"
eventually 200 made
[[ $(stat -c %a "$templates") == 700 && $(stat -c %a "$templates"/*.*-*) == 600 ]] || fail "$(ls -la "$templates")"
[[ $(stat -c %s "$templates"/*.*-*) -gt $((256 << 20)) ]] || fail "$(ls -la "$templates")"
again=$(look two)
begins
[[ $again == "$first" ]] || fail "from a template: $again"
grep -q '^e$' "$TEST/errors" || fail "$(<"$TEST/errors")"

# Of the same kind whatever else it is; random numbers, identity and time are the machine's own.
one() {
  # shellcheck disable=SC2016 # for the shell in there
  run --share "/src=>$TEST/kept:ro" --tmpfs /mnt:size=1m "$@" -- sh -c '
    head -c 16 /dev/urandom | od -An -tx1 | tr -d " \n"; echo
    cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /etc/machine-id 2>/dev/null
    date +%s; df -k /mnt | tail -n 1 | tr -s " " | cut -d " " -f 2'
}
one --hostname a >"$TEST/a"
begins
one --hostname b >"$TEST/b"
begins
for line in 1 2 3; do
  [[ $(sed -n "${line}p" "$TEST/a") != "$(sed -n "${line}p" "$TEST/b")" ]] || fail "two draw the same: $(<"$TEST/a")"
done
[[ $(tail -n 1 "$TEST/b") == 1024 ]] || fail "$(<"$TEST/b")"
[[ ! -s /etc/machine-id ]] || grep -qxF "$(</etc/machine-id)" "$TEST/b" || fail "$(<"$TEST/b")"
now=$(date +%s) then=$(tail -n 2 "$TEST/b" | head -n 1)
((then <= now + 1 && then > now - 60)) || fail "it is $now, there it was $then"

# Statuses that are not a command's.
expect_status 127 run --share "/src=>$TEST/src:ro" -- there-is-no-such-command
begins
# shellcheck disable=SC2016 # for the shell in there
expect_status 137 run --share "/src=>$TEST/src:ro" -- sh -c 'kill -KILL $$'
begins

# What is another kind boots, or is refused; what can have none boots and says why.
expect_refusal 'template require' "$NOVM" run --kernel "$KERNEL" --memory 200 --template require -- true
run --com1 --share "/src=>$TEST/src:ro" -- true
says 'without a template: --com1'
run --template off --share "/src=>$TEST/src:ro" -- true
never_says template
NOVM_TEMPLATE=atuo expect_refusal NOVM_TEMPLATE "$NOVM" run --kernel "$KERNEL" -- true

# A byte of memory that was written to, and an end that is missing: each is removed, and made anew. What is to have one does not boot.
for damage in flip cut require; do
  file=$(compgen -G "$templates/*.*-*")
  if [[ $damage == flip ]]; then
    printf novm | dd of="$file" bs=1 seek=$((20 << 20)) conv=notrunc status=none
  else
    # With the time that it had.
    touch --reference="$file" "$TEST/time"
    truncate --size=-1000 "$file"
    touch --reference="$TEST/time" "$file"
  fi
  [[ $damage != require ]] || expect_refusal 'cannot be used, and is removed' "$NOVM" run --kernel "$KERNEL" \
    --transport "$TRANSPORT" --memory 256 --share "/src=>$TEST/src:ro" --template require -- true
  echo in | run --share "/src=>$TEST/src:ro" -- cat >"$TEST/output" || fail "$damage: $(<"$TEST/errors")"
  boots
  [[ $(<"$TEST/output") == in ]] || fail "$damage: $(<"$TEST/output")"
  [[ ! -e $file ]] || fail "$damage: is still there"
  eventually 200 made
  run --share "/src=>$TEST/src:ro" -- true
  begins
done

# A machine in the background has one made once it is ready, and begins with it when it is started again.
"$NOVM" create --kernel "$KERNEL" --transport "$TRANSPORT" --memory 224 --hostname inside --name box >/dev/null
! "$NOVM" exec box -- grep -q novm.wait /proc/cmdline || fail 'there was a template already'
eventually 200 two
"$NOVM" exec box -- sh -c 'echo kept >/root/kept'
"$NOVM" stop box >/dev/null
"$NOVM" start box >/dev/null
expect_output 1 "$NOVM" exec box -- grep -c novm.wait /proc/cmdline
expect_output 'inside kept' "$NOVM" exec box -- sh -c 'echo $(hostname) $(cat /root/kept)'
"$NOVM" stop box >/dev/null

"$NOVM" prune --force >/dev/null 2>&1
! compgen -G "$templates/*.*" >/dev/null || fail "$(ls "$templates")"
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left behind: $(ls "$NOVM_ROOT/machines")"
