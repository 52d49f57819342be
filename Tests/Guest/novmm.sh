# `novmm` by hand, as its --help tells: signals, how a machine ends, and that nothing of it stays.
#: as root
#: timeout 400
command -v python3 >/dev/null || skip 'python3 is not installed'

cd "$TEST"
python3 - "$NOVM_LIBEXEC/novmm" "$NOVM_KERNELS/cloud" <<'END'
import ctypes, os, select, signal, socket, struct, subprocess, sys, time

NOVMM, KERNEL = sys.argv[1:]
SOCKET = 'guest.sock'
EXEC, STARTED, SHUTDOWN, REBOOT = 2, 3, 14, 2  # docs/agent-protocol.md

def until(condition, what):
    deadline = time.time() + 60
    while not condition():
        if time.time() > deadline: sys.exit(f'not in time: {what}')
        time.sleep(0.05)

def string(text): return struct.pack('<I', len(text)) + text.encode()
def strings(texts): return struct.pack('<I', len(texts)) + b''.join(map(string, texts))

class Machine:
    """A machine whose guest sees the host and writes to the directory `writes`."""
    def __init__(self, *options, cmdline='', **settings):
        self.agent = socket.socket(socket.AF_UNIX)
        self.agent.bind(SOCKET + '_1024')
        self.agent.listen()
        self.agent.settimeout(60)
        self.errors = open('errors', 'w+')
        self.process = subprocess.Popen(
            [NOVMM, '--kernel', KERNEL + '/vmlinux', '--setup', KERNEL + '/setup', '--initramfs', KERNEL + '/initramfs',
             '--cmdline', 'root=root rootfstype=virtiofs rw panic=-1 quiet ' + cmdline, '--cpus', '2', '--read', '/',
             '--write', '/=>writes', '--vsock', SOCKET, '--com1', 'log', *options], stderr=self.errors, **settings)
        # When somebody listens there, it takes signals.
        until(lambda: self.listens() or self.process.poll() is not None, 'the machine')

    def listens(self):
        with socket.socket(socket.AF_UNIX) as client: return client.connect_ex(SOCKET) == 0

    def ready(self):
        self.hello = self.agent.accept()[0]
        self.frame(self.hello)
        return self

    def frame(self, stream):
        """The next frame's type."""
        stream.settimeout(60)
        header = stream.recv(8, socket.MSG_WAITALL)
        if len(header) < 8: sys.exit(f'a stream that ends early: {open("log").read()}')
        kind, length = struct.unpack('<II', header)
        stream.recv(length, socket.MSG_WAITALL)
        return kind

    def send(self, kind, payload):
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(SOCKET)
        stream.sendall(b'CONNECT 1024\n')
        answer = b''
        while not answer.endswith(b'\n'): answer += stream.recv(1) or sys.exit(f'refused after {answer}')
        stream.sendall(struct.pack('<II', kind, len(payload)) + payload)
        return stream

    def run(self, *command):
        self.stream = self.send(EXEC, struct.pack('<4H', 0, 0, 0, 0) + string('') + string('') + strings(command) + strings([]))
        kind = self.frame(self.stream)
        if kind != STARTED: sys.exit(f'frame {kind} for {command}')

    def reboot(self): self.stream = self.send(SHUTDOWN, bytes([REBOOT]))

    def said(self): return open('errors').read()

    def ends(self, what, status, cleans=True):
        try: ended = self.process.wait(60)
        except subprocess.TimeoutExpired: ended = 'none'
        if ended != status:
            self.process.kill()
            sys.exit(f'{what}: status {ended}, not {status}: {self.said()}{open("log").read()}')
        self.agent.close()
        os.unlink(SOCKET + '_1024')
        if cleans and os.path.exists(SOCKET): sys.exit(f'{what}: left its socket')
        left = set(os.listdir('.')) - {'writes', 'errors', 'log', SOCKET}
        if left: sys.exit(f'{what}: left {left}')
        hidden = [name for name in os.listdir('writes') if name.startswith('.')]
        if cleans and hidden: sys.exit(f'{what}: left {hidden}')
        print(what, 'as it should')

os.mkdir('writes')

# While the guest boots. What SIGKILL leaves is in nobody's way.
machine = Machine()
machine.process.kill()
machine.ends('SIGKILL', -signal.SIGKILL, cleans=False)

machine = Machine()
machine.process.terminate()
until(lambda: 'asking the guest to power off' in machine.said(), 'word of SIGTERM')
machine.process.terminate()
machine.ends('a second SIGTERM', 128 + signal.SIGTERM)

machine = Machine()
machine.process.send_signal(signal.SIGINT)
until(lambda: 'asking the guest to power off' in machine.said(), 'word of SIGINT')
machine.process.send_signal(signal.SIGINT)
machine.ends('a second SIGINT', 128 + signal.SIGINT)

reader, writer = os.pipe()
machine = Machine('--lifeline', f'fd:{reader}', pass_fds=[reader])
os.close(reader)
os.close(writer)
machine.ends('the end of the lifeline', 128 + signal.SIGHUP)

# A guest at work that stands still: with it all that it changes on the host, and what the host has for it waits.
machine = Machine('--control', 'control').ready()
control = socket.socket(socket.AF_UNIX)
control.connect('control')
control.settimeout(60)
def order(word):
    control.sendall(word.encode() + b'\n')
    answer = b''
    while not answer.endswith(b'\n'): answer += control.recv(1) or sys.exit(f'no answer to {word}: {answer}')
    return answer.decode().strip()
def expect(word, answer):
    found = order(word)
    if found != answer: sys.exit(f'{word}: {found}, not {answer}')
machine.run('/bin/sh', '-c', 'n=0; while :; do n=$((n+1)); echo $n >>/numbers; [ $n -lt 100000 ] || exit; done')
for _ in range(3):
    size = os.path.getsize('writes/numbers') if os.path.exists('writes/numbers') else 0
    until(lambda: os.path.exists('writes/numbers') and os.path.getsize('writes/numbers') > size, 'numbers')
    expect('status', 'running')
    expect('quiesce', 'quiesced')
    expect('status', 'quiesced')
    expect('balloon', 'refused the machine is quiesced')
    before = [(os.stat(name).st_mtime_ns, os.path.getsize(name)) for name in ['writes/numbers', 'log']]
    client = socket.socket(socket.AF_UNIX)
    client.connect(SOCKET)
    client.sendall(b'CONNECT 1024\n')
    client.settimeout(1)
    try: sys.exit(f'a machine that stands still answered {client.recv(64)}')
    except TimeoutError: pass
    if before != [(os.stat(name).st_mtime_ns, os.path.getsize(name)) for name in ['writes/numbers', 'log']]: sys.exit('it wrote')
    expect('quiesce', 'quiesced')
    expect('resume', 'running')
    client.settimeout(60)
    if not client.recv(64).startswith(b'OK'): sys.exit('a client was lost')
    client.close()
expect('quiesce', 'quiesced')
machine.process.send_signal(signal.SIGTERM)
time.sleep(0.5)
expect('resume', 'running')
machine.ends('SIGTERM to one that stood still', 0)
numbers = open('writes/numbers').read().split()
if numbers != [str(n) for n in range(1, len(numbers) + 1)]: sys.exit('numbers were lost')

# A place for what is not there.
refused = subprocess.run(
    [NOVMM, '--kernel', KERNEL + '/vmlinux', '--setup', KERNEL + '/setup', '--place', 'disk7=3'], capture_output=True, text=True)
if refused.returncode != 1 or 'the machine has no device disk7' not in refused.stderr: sys.exit(f'a place of nothing: {refused}')

# With the guest at work: SIGQUIT tells of it and lets it go on, SIGTERM lets it finish.
# Places of its devices that leave some free.
machine = Machine('--place', 'tree=7', '--place', 'vsock=17').ready()
machine.run('/bin/sh', '-c', 'trap "echo bye >/bye; exit" TERM; echo >/begun; while :; do sleep 0.1; done')
until(lambda: os.path.exists('writes/begun'), 'the command')
machine.process.send_signal(signal.SIGQUIT)
until(lambda: all(word in machine.said() for word in ['vCPU 0', 'vCPU 1', 'rip']), 'the registers')
machine.process.terminate()
machine.ends('SIGTERM', 0)
if open('writes/bye').read() != 'bye\n': sys.exit('SIGTERM: the command could not finish')

machine = Machine().ready()
machine.process.send_signal(signal.SIGINT)
machine.ends('SIGINT', 0)

# Before there is anybody in the guest to hear of it.
machine = Machine('--confine', 'require')
machine.process.terminate()
machine.ends('SIGTERM as it boots', 0)

machine = Machine().ready()
machine.reboot()
machine.ends('reboot', 3)

machine = Machine(cmdline='reboot=triple').ready()
machine.reboot()
machine.ends('triple fault', 5)
if not all(word in machine.said() for word in ['triple fault on vCPU ', 'rip', 'idt']): sys.exit('no registers')

machine = Machine().ready()
machine.run('/bin/sh', '-c', 'echo c >/proc/sysrq-trigger')
machine.ends('panic', 4)

# A host before Linux 5.13, as far as landlock_create_ruleset(2) tells: confined by the rest, unless all of it must be there.
def without_landlock():
    rules = ctypes.create_string_buffer(struct.pack('<' + 4 * 'HBBI', 0x20, 0, 0, 0, 0x15, 0, 1, 444, 0x06, 0, 0, 0x50026, 0x06, 0, 0, 0x7fff0000))
    libc = ctypes.CDLL(None, use_errno=True)
    # PR_SET_NO_NEW_PRIVS, and PR_SET_SECCOMP with SECCOMP_MODE_FILTER.
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, struct.pack('HxxxxxxQ', 4, ctypes.addressof(rules))): os._exit(99)
machine = Machine('--confine', 'require', preexec_fn=without_landlock)
machine.ends('--confine require without Landlock', 1)
if '--confine require: this host lacks Landlock;' not in machine.said(): sys.exit(f'--confine require: {machine.said()}')
machine = Machine('--verbose', preexec_fn=without_landlock)
machine.process.terminate()
machine.ends('a machine without Landlock', 0)
if 'Landlock' not in machine.said(): sys.exit(f'without Landlock: {machine.said()}')

# What never starts.
for status, what, options in [(2, 'unknown option --memroy', ['--memroy', '1']), (2, '--cpus 0: give', ['--cpus', '0']),
                              (1, 'nowhere: No such file', ['--kernel', 'nowhere']),
                              (1, 'no\\xff: No such file', ['--read', b'/x=>no\xff']),
                              (1, '16 MiB of memory are too few', ['--memory', '16'])]:
    machine = Machine(*options)
    machine.ends(what, status)
    if what not in machine.said() or machine.said().count('\n') != 1: sys.exit(f'{what}: {machine.said()}')
END
