# Kernels of four series, each in three flavours, with one processor and with two, by both transports; and the kernel of
# another VMM, which has no modules, and its devices by the command line.
#: as root
#: long
#: timeout 3600
#: needs kernels cloud-5.10 cloud-6.1 cloud-6.12 cloud-newest
#: needs kernels generic-5.10 generic-6.1 generic-6.12 generic-newest
#: needs kernels rt-5.10 rt-6.1 rt-6.12 rt-newest
#: needs microsandbox
export NOVM_KERNELS=$PWD/.build/guest-tests/series
missing=''
for kernel in {cloud,generic,rt}-{5.10,6.1,6.12,newest}; do
  [[ -d $NOVM_KERNELS/$kernel ]] || { missing+=" $kernel" && continue; }
  release=$("$NOVM" kernel inspect --json "$kernel" | sed -n 's/.*"release" : "\(.*\)".*/\1/p')
  for transport in mmio pci; do
    for cpus in 1 2; do
      # shellcheck disable=SC2016 # for the shell in there
      expect_output "$release $cpus dummy" \
        timeout 150 "$NOVM" run --kernel "$kernel" --transport "$transport" --cpus "$cpus" -- \
        sh -c 'modprobe dummy && echo $(uname -r) $(nproc) $(grep -o "^dummy" /proc/modules)'
      echo "$kernel ($release), $transport, $cpus: as it should"
    done
  done
done
library=(.build/bench/microsandbox/lib/libkrunfw.so.*)
if [[ -f ${library[0]} ]]; then
  NOVM_KERNELS=$TEST/kernels
  expect_output library "$NOVM" kernel import "${library[0]}" --name library 2>/dev/null
  "$NOVM" kernel inspect library | grep '^Finds devices by: *command line$' >/dev/null || fail 'not by the command line'
  # shellcheck disable=SC2016 # for the shell in there
  for cpus in 1 2; do
    expect_output "$cpus none" timeout 150 "$NOVM" run --kernel library --cpus "$cpus" -- \
      sh -c 'echo $(nproc) $(ls /sys/firmware/acpi 2>/dev/null || echo none)'
  done
else
  missing+=' libkrunfw'
fi
[[ -z $missing ]] || skip "not to be had:$missing; all others are as they should be"
