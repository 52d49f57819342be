# `novm run -t`: a terminal of the guest's own, driven through a terminal here.
#: as root
#: timeout 1800
command -v python3 >/dev/null || skip 'python3 is not installed'

python3 - "$NOVM" <<'END'
import fcntl, os, pty, select, signal, struct, sys, termios, time

def run(command, steps):
    """Runs it on a terminal of 33 lines and 99 columns; a step waits for a text, then sends bytes or calls."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 99, 0, 0))
        os.execv(sys.argv[1], [sys.argv[1], 'run', '--kernel', 'cloud', '-t', '--'] + command)
    before = termios.tcgetattr(terminal)
    output, deadline = b'', time.time() + 300
    for wanted, action in steps + [(None, None)]:
        while wanted is None or wanted not in output:
            if time.time() > deadline:
                os.kill(pid, signal.SIGKILL)
                sys.exit(f'{command}: waited for {wanted!r} in {output!r}')
            if select.select([terminal], [], [], 0.2)[0]:
                try: output += os.read(terminal, 4096)
                except OSError: break
            elif wanted is None and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT): break
        if isinstance(action, bytes): os.write(terminal, action)
        elif action: action(pid, terminal)
    if termios.tcgetattr(terminal) != before: sys.exit(f'{command}: the terminal was left in another mode')
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output

def check(name, condition, *what):
    if not condition: sys.exit(f'{name}: {what}')
    print(name, 'as it should')

status, output = run(['sh', '-c', 'stty size; test -t 0 && test -t 1 && test -t 2 && echo all; exit 5'], [])
check('size and status', status == 5 and b'33 99' in output and b'all' in output, status, output)

status, output = run(['sh', '-c', 'echo ready; cat; echo bye'], [(b'ready', b'hello\r'), (b'hello\r\nhello', b'\x04')])
check('keys and end of input', status == 0 and b'bye' in output, status, output)

status, output = run(['sh', '-c', 'echo ready; sleep 1000'], [(b'ready', b'\x03')])
check('Ctrl-C', status == 130, status, output)

resize = lambda pid, terminal: fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
status, output = run(['bash', '-c', 'trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.1; done'], [(b'ready', resize)])
check('resize', status == 3 and b'40 120' in output, status, output)

status, output = run(['bash', '--norc', '-i'], [
    (b'$ ' if os.getuid() else b'# ', b'sleep 1000\r'), (b'sleep 1000\r\n', lambda pid, terminal: time.sleep(1)),
    (b'', b'\x1a'), (b'Stopped', b'kill -9 %1; disown -a; exit 6\r')])
check('job control', status == 6, status, output)

status, output = run(['sh', '-c', 'echo ready; sleep 1000'], [(b'ready', lambda pid, terminal: os.kill(pid, signal.SIGTERM))])
check('SIGTERM', status == 143, status, output)

status, output = run(['no-such-command'], [])
check('no command', status == 127, status, output)
END
