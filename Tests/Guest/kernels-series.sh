# The oldest kernel and the newest that Debian has: each a machine, by a transport each.
#: as root
#: timeout 400
#: needs kernels cloud-5.10 cloud-newest
export NOVM_KERNELS=$PWD/.build/guest-tests/series
for which in cloud-5.10,mmio,1 cloud-newest,pci,2; do
  IFS=, read -r kernel transport cpus <<<"$which"
  [[ -d $NOVM_KERNELS/$kernel ]] || skip "the kernel $kernel could not be had"
  release=$("$NOVM" kernel inspect --json "$kernel" | sed -n 's/.*"release" : "\(.*\)".*/\1/p')
  # shellcheck disable=SC2016 # for the shell in there
  expect_output "$release $cpus dummy" "$NOVM" run --kernel "$kernel" --transport "$transport" --cpus "$cpus" -- \
    sh -c 'modprobe dummy && echo $(uname -r) $(nproc) $(grep -o "^dummy" /proc/modules)'
done
