# One command in the emulated host: options, terminal, signals, exit status. Sourced.

session_run() {
  local tty=no user=root kvm=yes directory=$PWD environment=() value
  while (($#)); do
    case $1 in
      --user | --env | --cwd) value=$(argument "$@") ;;
    esac
    case $1 in
      --user) user=$value && shift ;;
      --env) environment+=("$(session_variable "$value")") && shift ;;
      --cwd) directory=$value && shift ;;
      -t | --tty) tty=yes ;;
      --no-kvm) kvm=no ;;
      --) shift && break ;;
      -*) die "unknown option $1 of run; see Testbed/host --help" ;;
      *) break ;;
    esac
    shift
  done
  (($#)) || die "run needs a command; see Testbed/host --help"
  instance_up

  local identity=$$-$RANDOM status=0
  local request
  request=$(quote run "$identity" "$tty" "$user" "$kvm" "$directory" "${#environment[@]}" "${environment[@]}" "$@")
  if [[ $tty == yes ]]; then
    ssh_session -tt "$request" || status=$?
  else
    session_with_signals "$identity" "$request" || status=$?
  fi
  # 255 is ssh's own failure as well as a status of commands. The connection ends before QEMU's process has.
  if ((status == 255)) && ! instance_connected; then
    instance_await_end 5 || die "the connection to the emulated host ($instance_name) was lost while the command ran"
    die "the emulated host ($instance_name) went while the command ran: $(instance_last_words); see $instance/console"
  fi
  exit "$status"
}

session_variable() {
  [[ $1 == *=* ]] && printf %s "$1" || printf '%s=%s' "$1" "${!1-}"
}

# The last argument is the request; ssh wants it after the destination.
ssh_session() {
  local request=${*: -1}
  ssh_client -o ControlMaster=no "${@:1:$#-1}" -o RemoteCommand="${request//%/%%}"
}

# Runs the request with our input and output; signals that we get go to the command, and a second one ends it.
session_with_signals() {
  local identity=$1 request=$2 client status signals=0
  ssh_session -T "$request" <&0 &
  client=$!
  for signal in HUP INT QUIT TERM; do
    # shellcheck disable=SC2064 # the names of now
    trap "session_signal $identity $signal" "$signal"
  done
  while true; do
    status=0
    wait "$client" || status=$?
    kill -0 "$client" 2>/dev/null || break
  done
  trap - HUP INT QUIT TERM
  # A wait that a trap interrupted tells the trap's status; a second one tells the client's.
  ((status <= 128)) || { wait "$client" 2>/dev/null && status=0 || status=$?; }
  return "$status"
}

session_signal() {
  ((++signals < 2)) || set -- "$1" KILL
  ssh_session -T "$(quote signal "$1" "$2")" </dev/null >/dev/null 2>&1 &
}
