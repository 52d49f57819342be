"""Saves a machine whose noguest waits, and begins others with its state: waiting.py LIBEXEC BUNDLE DIRECTORY TRANSPORT."""
import array, os, select, socket, struct, subprocess, sys, time

LIBEXEC, BUNDLE, DIRECTORY, TRANSPORT = sys.argv[1:]
os.chdir(DIRECTORY)

def fail(*words): sys.exit(' '.join(map(str, words)))

# The agent's protocol (docs/agent-protocol.md).
HELLO, EXEC, STDOUT, EXITED, SHUTDOWN, CLOCK = 1, 2, 6, 11, 14, 16
BUILT_IN = 4

def string(text): return struct.pack('<I', len(text)) + text
def strings(list): return struct.pack('<I', len(list)) + b''.join(map(string, list))
def frame(kind, payload): return struct.pack('<BBHI', kind, 0, 0, len(payload)) + payload

def command(arguments, environment=(), options=0):
    return frame(EXEC, struct.pack('<4H', options, 0, 0, 0) + string(b'') * 2 + strings(arguments) + strings(environment))

def frames(stream):
    text = b''
    while True:
        while len(text) >= 8 and len(text) >= 8 + (size := struct.unpack_from('<I', text, 4)[0]):
            yield text[0], text[8:8 + size]
            text = text[8 + size:]
        piece = stream.recv(65536)
        if not piece: return
        text += piece

def member(name, data, mode):
    """Of an archive in cpio's newc form."""
    numbers = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b'070701' + b''.join(b'%08X' % number for number in numbers) + name + b'\0'
    return b''.join(part + bytes(-len(part) % 4) for part in (head, data))

class Machine:
    def __init__(self, *options):
        for name in ('vsock', 'vsock_1024', 'control'):
            if os.path.exists(name): os.unlink(name)
        self.greetings = socket.socket(socket.AF_UNIX)
        self.greetings.bind('vsock_1024')
        self.greetings.listen()
        self.greetings.settimeout(150)
        self.process = subprocess.Popen(
            [f'{LIBEXEC}/novmm', *options, '--memory', '192', '--tag', 'root', '--balloon', '--transport', TRANSPORT,
             '--vsock', 'vsock', '--control', 'control', '--com1', 'serial'])

    def connect(self, port=1024):
        """Once the monitor is there."""
        for _ in range(600):
            stream = socket.socket(socket.AF_UNIX)
            if stream.connect_ex('vsock') == 0: break
            time.sleep(0.05)
        stream.settimeout(150)
        stream.sendall(b'CONNECT %d\n' % port)
        answer = b''
        while not answer.endswith(b'\n'): answer += stream.recv(1) or fail('refused', answer)
        return stream

    def order(self, word, files=()):
        """The descriptors come with the first byte."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(150)
            client.connect('control')
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', files))] if files else []
            client.sendmsg([word[:1]], rights)
            client.sendall(word[1:] + b'\n')
            return b''.join(iter(lambda: client.recv(1), b'\n')).decode()

    def begin(self, version, words):
        stream = self.connect()
        now = time.time()
        secret = bytes(max(1, byte) for byte in os.urandom(64))
        stream.sendall(frame(CLOCK, struct.pack('<QI', int(now), int(now % 1 * 1e9))))
        stream.sendall(command([b'begin', version, secret], words, BUILT_IN))
        return stream, next(frames(stream), None)

    def run(self, *arguments):
        stream = self.connect()
        stream.sendall(command([word.encode() for word in arguments]))
        found = list(frames(stream))
        if found[-1] != (EXITED, b'\0'): fail(arguments, found)
        return b''.join(data for kind, data in found if kind == STDOUT).decode()

    def end(self):
        stream = self.connect()
        stream.sendall(frame(SHUTDOWN, b'\4'))
        for _ in frames(stream): break
        stream.close()
        if self.process.wait(timeout=60) != 0: fail('status', self.process.returncode)

def save():
    """One that waits, the connection by which it says so still open: it goes with what is saved of the vsock."""
    with open(f'{LIBEXEC}/noguest', 'rb') as program, open('init', 'wb') as archive:
        archive.write(member(b'init', program.read(), 0o100755) + member(b'TRAILER!!!', b'', 0))
    archives = [f'{BUNDLE}/initramfs{part}' for part in ('', '.balloon') + ('.pci',) * (TRANSPORT == 'pci')]
    options = ['--kernel', f'{BUNDLE}/vmlinux', '--setup', f'{BUNDLE}/setup', '--read', '/=>empty',
               '--cmdline', 'novm.wait panic=-1 cryptomgr.notests console=ttyS0 quiet']
    for archive in filter(os.path.exists, archives + ['init']): options += ['--initramfs', archive]
    machine = Machine(*options)
    stream = machine.greetings.accept()[0]
    if next(frames(stream))[0] != HELLO: fail('no hello')
    for _ in range(100):
        time.sleep(0.1)
        if (answer := machine.order(b'quiesce')) != 'quiesced': fail('quiesce:', answer)
        file = os.open('state', os.O_RDWR | os.O_CREAT, 0o600)
        answer = machine.order(b'save', [file])
        os.close(file)
        if answer == 'saved': break
        machine.order(b'resume')
    else: fail('save:', answer)
    machine.process.kill()
    machine.process.wait()
    stream.close()

for name in ('empty', 'written0', 'written1'): os.mkdir(name)
save()
numbers = []
for turn in range(2):
    # Not told by its generation that it is another: its random numbers are others by what begin brings.
    machine = Machine('--restore', 'state', '--keep-identity', '--read', '/=>/', '--write', f'/=>written{turn}')
    words = [b'root=root', b'rootfstype=virtiofs', b'rw', b'hostname=box%d' % turn]
    # What is no frame is nobody's, and one that speaks another version is nobody; the guest goes on waiting.
    stream = machine.connect()
    stream.sendall(b'\xff' * 8)
    if stream.recv(1): fail('an answer to what is no frame')
    stream, answer = machine.begin(b'0', words)
    if answer is not None: fail('another version:', answer)
    stream, answer = machine.begin(b'1', words)
    if answer is None or answer[0] != HELLO: fail('no hello:', answer)
    if select.select([machine.greetings], [], [], 0)[0]: fail('it says hello by a connection of its own')
    if machine.run('hostname') != f'box{turn}\n': fail('another name')
    machine.run('sh', '-c', 'echo kept >/root/file')
    away = abs(int(machine.run('date', '+%s')) - time.time())
    if away > 30: fail('the clock is', away, 'seconds off')
    random = '/proc/sys/kernel/random/'
    numbers.append([machine.run('od', '-An', '-N16', '-tx1', '/dev/urandom'), machine.run('cat', random + 'boot_id'),
                    machine.run('cat', random + 'uuid')])
    machine.end()
    with open(f'written{turn}/root/file') as file:
        if file.read() != 'kept\n': fail('another file')
if any(one == other for one, other in zip(*numbers)): fail('two draw the same', numbers)
print('two machines')
