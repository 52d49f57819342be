# `novm run` on a stock kernel: exit status, streams, and nothing left behind.
#: as root tester
#: timeout 300

expect_output hello "$NOVM" run --kernel cloud -- /bin/echo hello
expect_status 7 "$NOVM" run --kernel cloud -- /bin/sh -c 'exit 7'
