# `novm run` on a stock kernel: exit status, streams, and nothing left behind.
#: as root tester
#: timeout 300

expect_output hello "$NOVM" run --kernel cloud -- /bin/echo hello
expect_status 7 "$NOVM" run --kernel cloud -- /bin/sh -c 'exit 7'
# Distributions' kernel for everything; the other tests take mostly the one for clouds.
expect_output '2 generic' "$NOVM" run --kernel generic --cpus 2 -- /bin/sh -c '
  case $(uname -r) in *cloud*) ;; *) echo $(nproc) generic ;; esac'
