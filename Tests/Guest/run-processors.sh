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
