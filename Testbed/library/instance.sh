# One emulated host: its process, its state directory, its start and end. Sourced.
#
#   $instance/starting   locked by whoever starts or stops it
#   $instance/alive      locked by QEMU for as long as it lives, however it ends: no process ids to go stale
#   $instance/pid, port  QEMU's process, and the loopback port which leads to the ssh server
#   $instance/ssh        the shared ssh connection's socket
#   $instance/scratch    the scratch disk
#   $instance/monitor    QEMU's monitor
#   $instance/console    the emulated host's console; $instance/qemu: what QEMU says

instance_boot_seconds=300
# On a loaded machine a processor of the emulated host may stand still for minutes, and nothing is wrong with it;
# nor with its timer, which at the start has a few of its own ticks to be seen in.
instance_watchdog='nowatchdog no_timer_check'
# As Linux has it by default. Debian's setting clears memory for processes twice, of which emulation makes much.
instance_memory_options='init_on_alloc=0'
# Nobody in there needs to be kept from side channels, and emulation pays dearly for it: without both, a guest's start takes
# a fifth less. Not where instructions are counted, whose figures are those of a host as Debian makes it.
instance_quick_options="$instance_memory_options mitigations=off"
# QEMU's emulation with several threads now and then loses a one-shot timer's interrupt that comes as a nested guest
# runs; with periodic ticks the next one mends it.
instance_timers='nohz=off highres=off'
# No MONITOR, whose MWAIT spins under emulation. No ERMS and FSRM: QEMU emulates, and counts, REP MOVSB byte by byte where
# hardware moves whole lines; without them Linux moves and clears memory by eight bytes. No XSAVE: KVM does not learn of a
# guest's XSETBV under QEMU 7.2, and a guest then finds its CPUID inconsistent, warns, and does without AVX in any case.
# The last three for the instance that counts instructions only: with several threads the emulated host has been seen
# to freeze with them.
instance_processor='max,+svm,-monitor'
instance_counted_processor="$instance_processor,-erms,-fsrm,-xsave"

instance_select() {
  [[ -n $instance_name ]] || { [[ $instance_icount == yes ]] && instance_name=icount || instance_name=default; }
  [[ $instance_name =~ ^[A-Za-z0-9_-]+$ ]] || die "an instance's name has letters, digits, - and _, unlike '$instance_name'"
  instance=$cache/instances/$instance_name
}

instance_alive() { [[ -f $instance/alive ]] && ! flock --nonblock --shared "$instance/alive" true; }

instance_connected() { [[ -S $instance/ssh ]] && ssh_client -O check 2>/dev/null; }

# Makes sure that it is up and connected. Cheap where it is.
instance_up() {
  local lock
  ! { instance_alive && instance_connected; } || return 0
  mkdir -p "$instance"
  chmod 700 "$cache"
  exec {lock}>"$instance/starting"
  flock "$lock"
  if ! instance_alive; then
    instance_start "$lock"
  elif ! instance_await_boot; then
    # Whoever started it was killed meanwhile, and it did not get far.
    die "the emulated host ($instance_name) does not get up; try: Testbed/host down; see $instance/console"
  fi
  if ! instance_connected && ! instance_connect "$lock"; then
    say "the emulated host ($instance_name) does not answer: starting it anew"
    instance_kill
    instance_start "$lock"
    instance_connect "$lock" || die "the emulated host does not answer; see $instance/console"
  fi
  exec {lock}>&-
}

instance_kill() {
  kill -KILL "$(<"$instance/pid")" 2>/dev/null || true
  instance_await_end 5 || die "process $(<"$instance/pid") does not end"
}

instance_memory_default() {
  local half
  half=$(awk '/^MemTotal/ { print int($2 / 2048) }' /proc/meminfo)
  echo $((half < 4096 ? 4096 : half > 8192 ? 8192 : half))
}

# The files that the virtual machine sees, as QEMU options: everything, twice; read-only. The guest's init says why.
instance_virtfs() {
  local tag
  for tag in system fresh; do
    echo -virtfs "local,path=/,mount_tag=$tag,security_model=none,multidevs=remap,readonly=on"
  done
}

# Starts QEMU and waits until the ssh server listens. $1 is a descriptor which QEMU must not inherit.
instance_start() {
  local lock=$1 alive release location parameters processor accelerator attempt port
  cache_prepare
  # What the one before said tells why there has to be another.
  for attempt in console qemu; do
    [[ ! -s $instance/$attempt ]] || mv "$instance/$attempt" "$instance/$attempt.last"
  done
  rm -f "$instance"/{ssh,pid,port,monitor,console,qemu}
  [[ -f $instance/scratch ]] || instance_make_scratch
  release=$(<"$cache/kernel/release")
  parameters="$instance_timers $instance_quick_options" processor=$instance_processor
  location="testbed.cache=$cache testbed.release=$release"
  accelerator=(-accel 'tcg,thread=multi' -smp "$instance_cpus")
  # With nothing at once, none of the races of several threads: neither lost interrupts.
  [[ $instance_cpus != 1 ]] || { accelerator=(-accel 'tcg,thread=single' -smp 1) && parameters=$instance_quick_options; }
  if [[ $instance_icount == yes ]]; then
    accelerator=(-accel 'tcg,thread=single' -icount 'shift=1,sleep=on' -smp 1)
    parameters=$instance_memory_options processor=$instance_counted_processor
  fi
  [[ -n $instance_memory ]] || instance_memory=$(instance_memory_default)
  say "starting the emulated host ($instance_name)"

  # Another process may take the port between its choice and QEMU's bind: then QEMU ends at once, and we choose again.
  for attempt in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    echo "$port" >"$instance/port"
    exec {alive}>"$instance/alive"
    flock "$alive"
    # shellcheck disable=SC2046 # words of options, without blanks
    setsid "$cache_emulator" -name "testbed-$instance_name" -nodefaults -no-user-config -no-reboot \
      -machine q35 -cpu "$processor" "${accelerator[@]}" -m "$instance_memory" \
      -display none -monitor "unix:$instance/monitor,server=on,wait=off" -serial "file:$instance/console" \
      -kernel "$cache/kernel/boot/vmlinuz-$release" -initrd "$cache_initramfs" \
      -append "console=ttyS0 panic=-1 quiet $instance_watchdog $parameters $location" \
      $(instance_virtfs) \
      -drive "file=$instance/scratch,if=virtio,format=raw,cache=unsafe,discard=unmap" \
      -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=net,romfile= \
      -device virtio-rng-pci -pidfile "$instance/pid" </dev/null >"$instance/qemu" 2>&1 {lock}>&- &
    disown
    exec {alive}>&-
    ! instance_await_boot || return 0
    grep -q 'Could not set up host forwarding' "$instance/qemu" || break
  done
  die "the emulated host did not start: $(tail -n 1 "$instance/qemu"); see $instance/qemu and $instance/console"
}

# Waits for the line by which the init script says that all is ready.
instance_await_boot() {
  local deadline=$((SECONDS + instance_boot_seconds))
  until grep -qs '^testbed: ready' "$instance/console"; do
    ((SECONDS < deadline)) && instance_alive || return 1
    sleep 0.05
  done
}

instance_make_scratch() {
  rm -f "$instance/scratch.new"
  truncate -s 32G "$instance/scratch.new"
  PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -L scratch -m 0 -E lazy_itable_init=1,nodiscard "$instance/scratch.new"
  mv "$instance/scratch.new" "$instance/scratch"
}

# ssh with our settings only. The shared connection spares each command a key exchange.
ssh_client() {
  ssh -F none -q -S "$instance/ssh" -p "$(cat "$instance/port" 2>/dev/null)" -i "$cache/keys/client" \
    -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile="$cache/keys/known" -o HostKeyAlias=testbed \
    -o StrictHostKeyChecking=yes -o ConnectTimeout=60 -o EscapeChar=none "$@" testbed@127.0.0.1
}

# Opens the shared connection, which inherits neither our lock nor the caller's output.
instance_connect() {
  local lock=$1
  rm -f "$instance/ssh"
  (
    exec {lock}>&-
    ssh_client -f -N -M -o ServerAliveInterval=60 -o ServerAliveCountMax=5 </dev/null >>"$instance/qemu" 2>&1
  )
}

instance_down() {
  local lock
  [[ -d $instance ]] || return 0
  exec {lock}>"$instance/starting"
  flock "$lock"
  if instance_alive; then
    ssh_session -T poweroff </dev/null >/dev/null 2>&1 &
    instance_await_end 15 || {
      say "the emulated host does not shut down: ending its process"
      instance_kill
    }
  fi
  ! [[ -S $instance/ssh ]] || ssh_client -O exit 2>/dev/null || true
  rm -f "$instance"/{ssh,pid,port,monitor}
  exec {lock}>&-
}

instance_await_end() { flock --wait "$1" --shared "$instance/alive" true; }

instance_status() {
  instance_alive || { echo "$instance_name: down" && return 1; }
  echo "$instance_name: up, process $(<"$instance/pid"), $(ssh_session -T uptime </dev/null)"
}

instance_log() { cat "$instance/qemu" "$instance/console" 2>/dev/null || die "$instance_name has never run"; }

# Why the emulated host ended, as far as its kernel, or else QEMU, told.
instance_last_words() {
  grep -a -o 'Kernel panic.*' "$instance/console" | tr -d '\r' | tail -n 1 | grep . ||
    tail -n 1 "$instance/qemu" | grep . || echo 'it was killed'
}

instance_reset() { rm -rf "$instance"; }
