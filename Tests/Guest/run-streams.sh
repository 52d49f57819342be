# Standard input, output and errors: apart, whole, whatever the bytes, whoever leaves first.
#: as root
#: timeout 1800
run() { "$NOVM" run --kernel cloud "$@"; }

expect_output out run -- sh -c 'echo out; echo errors >&2' 2>"$TEST/errors"
expect_output errors cat "$TEST/errors"

# 100 MB each way at once.
head -c 104857600 /dev/urandom >"$TEST/bytes"
sum=$(sha256sum <"$TEST/bytes")
expect_output "$sum" run -- sha256sum <"$TEST/bytes"
run -- cat <"$TEST/bytes" | cmp - "$TEST/bytes"

# Arguments are bytes.
run -- printf '<%s>' $'\xff\xfe\xc3' '' $'new\nline' | cmp - <(printf '<\xff\xfe\xc3><><new\nline>')

# Input that ends, that is not there, and that nobody reads.
expect_output '' run -- cat </dev/null
expect_output done run -- sh -c 'cat; echo done' <&-
expect_output unread run -- echo unread < <(yes)

# A reader that leaves, output that cannot be written.
SECONDS=0
expect_output y sh -c '"$0" run --kernel cloud -- yes | head -n 1' "$NOVM"
expect_status 125 run -- echo lost >/dev/full 2>"$TEST/errors"
grep -q 'No space left' "$TEST/errors" || fail "$(<"$TEST/errors")"
expect_output 3000000 sh -c '"$0" run --kernel cloud -- head -c 3000000 /dev/zero | (sleep 2; wc -c)' "$NOVM"
