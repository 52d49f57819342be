# Processors as the guest's kernel sees them: 64 of them, and how they lie in cores and sockets, with and without ACPI's help.
#: as root
#: also root/pci
#: timeout 600
run() { "$NOVM" run --kernel "$1" --transport "${TRANSPORTS[$1]}" --memory 1G "${@:2}"; }

# shellcheck disable=SC2016 # for the shell in there
expect_output $'64 0-63' run generic --cpus 64 -- sh -c 'echo $(nproc) $(cat /sys/devices/system/cpu/online)'
# Which processors share a core and a socket.
# shellcheck disable=SC2016
expect_output $'12 0-11\n0-1 0-5 0 0\n6-7 6-11 1 0\n10-11 6-11 1 2' run cloud --cpus 12,cores=3,threads=2 -- sh -c '
  echo $(nproc) $(cat /sys/devices/system/cpu/online)
  for cpu in 0 7 10; do
    cd "/sys/devices/system/cpu/cpu$cpu/topology"
    echo $(cat thread_siblings_list core_siblings_list physical_package_id core_id)
  done'

# NUMA nodes: their processors and memory, and what lies how far from what; nothing that the kernel doubts.
# shellcheck disable=SC2016
numa='
  cd /sys/devices/system/node && cat online has_memory
  for node in node*; do
    kib=$(sed -n "s/.*MemTotal: *\([0-9]*\) kB/\1/p" $node/meminfo)
    echo "$node $(cat $node/cpulist) $(((kib + 131072) / 262144)) $(cat $node/distance)"
  done
  dmesg | grep -E "not on the same node|rejecting|SRAT: Invalid|SLIT: invalid|No NUMA configuration" || true'
expect_output $'0-1\n0-1\nnode0 0-1 2 10 30\nnode1 2-3 3 30 10' \
  run cloud --memory 1280 --cpus 4 --numa 512M --numa 768M --numa-distance 0,1=30 -- sh -c "$numa"
expect_output $'0-2\n0,2\nnode0 0,2 2 10 20 20\nnode1 1 0 20 10 20\nnode2  2 20 20 10' \
  run generic --memory 1G --cpus 3 --numa 512M,cpus=0,cpus=2 --numa 0,cpus=1 --numa 512M -- sh -c "$numa"

# Threads of vCPUs where they were sent.
"$NOVM" run --kernel cloud --cpus 2 --cpu-affinity 1=0 -- sleep 30 &
launcher=$!
bound() {
  local novmm
  novmm=$(pgrep -P "$launcher" -x novmm) || return 1
  grep -l '^vcpu 1$' /proc/"$novmm"/task/*/comm 2>/dev/null | grep -q . || return 1
  thread=$(dirname "$(grep -l '^vcpu 1$' /proc/"$novmm"/task/*/comm)")
  [[ $(sed -n 's/^Cpus_allowed_list:\t//p' "$thread/status") == 0 ]]
}
eventually 60 bound
kill -TERM "$launcher"
wait "$launcher" || true
