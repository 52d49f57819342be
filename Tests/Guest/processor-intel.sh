# Machines on a host with an Intel processor, which Bochs interprets: kernels of three series, two processors, a share and a
# disk; by EPT, and by shadow pages without.
#: outside
#: long
#: timeout 3000
command -v bochs >/dev/null || skip 'bochs is not installed; run: scripts/setup --full'
kernels=(cloud-5.10 cloud-6.12 cloud-newest)
series=$PWD/.build/guest-tests/series
scripts/kernel-store "$series" "${kernels[@]}" || skip 'not all of the kernels could be had'
with=(--with "$PWD/.build/novm")
expected='ept Y'
for kernel in "${kernels[@]}"; do
  with+=(--with "$series/$kernel")
  release=$(NOVM_KERNELS=$series .build/novm/bin/novm kernel inspect --json "$kernel" |
    sed -n 's/.*"release" : "\(.*\)".*/\1/p')
  expected+=$'\n'"$release 2 shared 2048 GenuineIntel"
done
expected+=$'\n''ept N'$'\n'"$release 1"
# shellcheck disable=SC2016 # for the shell in there
expect_output "$expected" Testbed/host --processor intel run "${with[@]}" --env NOVM_ROOT=/tmp/novm --env "NOVM_KERNELS=$series" -- \
  sh -euc '
  novm=$1
  shift
  cd /tmp
  mkdir share
  echo shared >share/file
  truncate -s 1M disk
  echo ept $(cat /sys/module/kvm_intel/parameters/ept)
  for kernel; do
    "$novm" run --kernel "$kernel" --cpus 2 --share "/s=>share" --disk disk -- sh -c "
      echo \$(uname -r) \$(nproc) \$(cat /s/file /sys/block/vda/size) \$(grep -m 1 -o GenuineIntel /proc/cpuinfo)"
  done
  rmmod kvm_intel
  insmod /modules/kvm-intel.ko ept=0
  echo ept $(cat /sys/module/kvm_intel/parameters/ept)
  "$novm" run --kernel "$kernel" -- sh -c "echo \$(uname -r) \$(nproc)"' - "$PWD/.build/novm/bin/novm" "${kernels[@]}"
