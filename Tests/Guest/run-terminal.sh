# `novm run -t`: a terminal of the guest's own, driven through a terminal here.
#: as root
#: also tester
#: timeout 400
command -v python3 >/dev/null || skip 'python3 is not installed'

python3 - "$NOVM" <<'END'
import fcntl, os, pty, select, signal, struct, sys, termios, time

def set_size(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

def run(command, *steps):
    """Runs it on a terminal of 33 lines and 99 columns; a step waits for a text in what came since the last one, then
    sends bytes or calls. Returns the status and all output."""
    pid, terminal = pty.fork()
    if pid == 0:
        set_size(0, 33, 99)
        os.execv(sys.argv[1], [sys.argv[1], 'run', '--kernel', 'cloud', '-t', '--'] + command)
    before = termios.tcgetattr(terminal)
    output, seen, deadline = b'', 0, time.time() + 100
    for wanted, action in steps + ((None, None),):
        while wanted is None or wanted not in output[seen:]:
            if time.time() > deadline:
                os.kill(pid, signal.SIGKILL)
                sys.exit(f'{command}: waited for {wanted!r} in {output[seen:]!r}, after {output[:seen]!r}')
            if select.select([terminal], [], [], 0.1)[0]:
                try: output += os.read(terminal, 4096)
                except OSError: break
            elif os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT): break
        if wanted is None: break
        if wanted not in output[seen:]: sys.exit(f'{command}: ended before {wanted!r}, with {output!r}')
        seen = output.index(wanted, seen) + len(wanted)
        if isinstance(action, bytes): os.write(terminal, action)
        else: action(pid, terminal)
    if termios.tcgetattr(terminal) != before: sys.exit(f'{command}: the terminal was left in another mode')
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output

def check(name, condition, *what):
    if not condition: sys.exit(f'{name}: {what}')
    print(name, 'as it should')

status, output = run(
    ['sh', '-c', 'stty size; test -t 0 && test -t 1 && test -t 2 && echo ready; cat; echo bye; exit 5'],
    (b'ready', b'hello\r'), (b'hello\r\nhello', b'\x04'))
check('size, keys, end of input and status', status == 5 and b'33 99' in output and b'bye' in output, status, output)

# Whoever closes the terminal is not hung up for it.
status, output = run(['sh', '-c', 'echo out; exec <&- >&- 2>&-; sleep 2; echo again >/dev/tty; sleep 1; exit 5'])
check('closed by the command', status == 5 and b'out\r\nagain\r\n' in output, status, output)
status, output = run(['cat'], (b'', b'text\r'), (b'text\r\ntext', b'\x04'))
check('end of input alone', status == 0, status, output)

# Without a trap for it bash goes on if Ctrl-C comes as a child of its own ends.
status, output = run(
    ['bash', '-c', 'trap "stty size" WINCH; trap "exit 130" INT; echo ready; while :; do sleep 0.1; done'],
    (b'ready', lambda pid, terminal: set_size(terminal, 40, 120)), (b'40 120', b'\x03'))
check('resize and Ctrl-C', status == 130, status, output)

# The answers are computed, so that they are not found in the echo of what is typed.
status, output = run(
    ['bash', '--norc', '-i'],
    (b'# ', b'sh -c "echo run\\$((1 + 1)); exec sleep 1000"\r'), (b'run2', b'\x1a'), (b'Stopped', b'bg; jobs\r'),
    (b'Running', lambda pid, terminal: None), (b'# ', b'fg\r'), (b'sleep 1000', b'\x03'), (b'# ', b'exit 6\r'))
check('job control', status == 6, status, output)

status, output = run(
    ['sh', '-c', 'echo ready; sleep 1000'], (b'ready', lambda pid, terminal: os.kill(pid, signal.SIGTERM)))
check('SIGTERM', status == 143, status, output)

# As `timeout` runs it: in the background, where the terminal stops it, and then SIGTERM and SIGCONT.
session, terminal = pty.fork()
if session == 0:
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.execv(sys.argv[1], [sys.argv[1], 'run', '--kernel', 'cloud', '-t', '--', 'sleep', '1000'])
    if not os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]): os._exit(1)
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    signal.alarm(30)
    os._exit(0 if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (-signal.SIGTERM, 143) else 2)
status = os.waitstatus_to_exitcode(os.waitpid(session, 0)[1])
check('SIGTERM in the background', status == 0, status)

status, output = run(['no-such-command'])
check('no command', status == 127, status, output)
END
