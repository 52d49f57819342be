# Standard input, output and errors: apart, whole, whatever the bytes, whoever leaves first.
#: as tester
#: also tester/pci
#: timeout 600
run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" "$@"; }

# Input that is empty; arguments and environment that are bytes.
# shellcheck disable=SC2016 # for the shell in there
run --env $'BYTES=\xfd' -- sh -c 'cat; echo errors >&2; printf "<%s>" "$BYTES" "$@"' - $'\xff\xfe\xc3' '' $'new\nline' \
  </dev/null 2>"$TEST/errors" | cmp - <(printf '<\xfd><\xff\xfe\xc3><><new\nline>')
expect_output errors cat "$TEST/errors"

# 100 MB each way at once.
head -c 104857600 /dev/urandom >"$TEST/bytes"
# shellcheck disable=SC2016
run -- bash -c 'tee >(sha256sum >&2); wait $!' <"$TEST/bytes" 2>"$TEST/errors" | cmp - "$TEST/bytes"
expect_output "$(sha256sum <"$TEST/bytes")" cat "$TEST/errors"

# Input that is not there, and output that cannot be written.
expect_status 125 run -- sh -c 'cat; echo lost' <&- >/dev/full 2>"$TEST/errors"
grep -q 'No space left' "$TEST/errors" || fail "$(<"$TEST/errors")"

# Input that nobody reads, and a slow reader of much output.
expect_output 3000000 sh -c 'yes | "$0" run --kernel "$KERNEL" --transport "$TRANSPORT" -- head -c 3000000 /dev/zero | (sleep 1; wc -c)' "$NOVM"

# A reader that leaves.
expect_output y sh -c '"$0" run --kernel "$KERNEL" --transport "$TRANSPORT" -- yes | head -n 1' "$NOVM"
