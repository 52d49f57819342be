"""Saves a machine of novm's whose command runs, and resumes that where the machine is restored: resumed.py NOVMM MACHINE LOG STATUS.

MACHINE is the machine's directory, LOG prints its command's output so far, STATUS waits for its end.
"""
import array, json, os, re, select, signal, socket, struct, subprocess, sys, time

NOVMM, MACHINE, LOG, STATUS = sys.argv[1:]
HELLO, EXEC, STARTED, STDOUT, STDERR, SIGNAL, EXITED, SIGNALED, FAILED, CLOCK = 1, 2, 3, 6, 7, 9, 11, 12, 13, 16
FULL = b''.join(b'%d\n' % number for number in range(1, 2001)) * 80

def fail(*words): sys.exit(' '.join(map(str, words)))

def run(words): return subprocess.run(words, shell=True, stdout=subprocess.PIPE).stdout

def until(condition, what, seconds=120):
    deadline = time.time() + seconds
    while not (found := condition()):
        if time.time() > deadline: fail('not in time:', what)
        time.sleep(0.05)
    return found

class Frames:
    def __init__(self, stream):
        self.stream, self.bytes = stream, b''
        stream.settimeout(120)

    def take(self, count):
        while len(self.bytes) < count:
            more = self.stream.recv(1 << 16)
            if not more: return None
            self.bytes += more
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def next(self):
        head = self.take(8)
        if head is None: return None, b''
        kind, length = struct.unpack('<BxxxI', head)
        return kind, self.take(length)

    def send(self, kind, payload=b''): self.stream.sendall(struct.pack('<BxxxI', kind, len(payload)) + payload)

def order(word, files=()):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f'{MACHINE}/runtime/control')
        client.settimeout(120)
        message = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', files))] if files else []
        client.sendmsg([word.encode() + b'\n'], message)
        return client.makefile().readline().strip()

def text(words): return struct.pack('<I', len(words)) + words

class Restored:
    """The machine of the state, as it was described to the monitor that wrote it."""
    def __init__(self, arguments):
        self.listener = socket.socket(socket.AF_UNIX)
        if os.path.exists('vsock_1024'): os.unlink('vsock_1024')
        self.listener.bind('vsock_1024')
        self.listener.listen()
        self.process = subprocess.Popen([NOVMM, '--restore', 'state', *arguments], stderr=subprocess.PIPE)
        if not select.select([self.listener], [], [], 120)[0]:
            self.process.kill()
            fail('no greeting:', self.process.stderr.read())
        self.greeting = Frames(self.listener.accept()[0])
        kind, payload = self.greeting.next()
        if kind != HELLO: fail('a greeting:', kind, payload)
        self.greeting.send(CLOCK, struct.pack('<QI', int(time.time()), 0))

    def resume(self):
        stream = socket.socket(socket.AF_UNIX)
        stream.connect('vsock')
        frames = Frames(stream)
        stream.sendall(b'CONNECT 1024\n')
        answer = b''
        while not answer.endswith(b'\n'): answer += frames.take(1) or fail('nobody listens')
        arguments = struct.pack('<I', 1) + text(b'resume')
        frames.send(EXEC, struct.pack('<HHHH', 4, 0, 0, 0) + text(b'') + text(b'') + arguments + struct.pack('<I', 0))
        return frames

    def end(self):
        self.process.kill()
        self.process.wait()

def description(process):
    """What the monitor was told, but for its kernel and what only novm has."""
    words = open(f'/proc/{process}/cmdline', 'rb').read().split(b'\0')[1:-1]
    own = {b'--vsock': b'vsock', b'--control': b'control', b'--com1': b'serial'}
    kept = []
    while words:
        word = words.pop(0)
        hasValue = bool(words) and not words[0].startswith(b'--')
        value = words.pop(0) if hasValue else None
        if word in (b'--kernel', b'--setup', b'--initramfs', b'--cmdline', b'--timings', b'--kaslr', b'--lifeline'): continue
        kept += [word] + ([own.get(word, value)] if hasValue else [])
    return kept

until(lambda: len(run(LOG)) > 100_000, 'output')
monitor = json.load(open(f'{MACHINE}/state.json'))['monitor']
arguments = description(monitor)
if order('quiesce') != 'quiesced': fail('it does not come to rest')
file = os.open('state', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
answer = order('save', [file])
if answer != 'saved': fail('save:', answer)
os.close(file)
# What the host has been given by now; what is under way goes on to it as well.
time.sleep(1)
heard = len(run(LOG))
if order('resume') != 'running': fail('it does not go on')
# Nothing changes for the machine that was saved.
status = int(run(STATUS))
if status != 7: fail('the machine that was saved ended with', status)
if run(LOG) != FULL: fail('its output has', len(run(LOG)), 'bytes, not', len(FULL))

machine = Restored(arguments)
frames = machine.resume()
kind, _ = frames.next()
if kind != STARTED: fail('not started:', kind, _)
output = b''
while True:
    kind, payload = frames.next()
    if kind == STDOUT: output += payload
    elif kind in (EXITED, None): break
    else: fail('a frame', kind, payload)
if (kind, payload) != (EXITED, b'\7'): fail('ended by', kind, payload)
print(f'# {len(FULL)} bytes in all: {heard} heard by the saving, {len(output)} after it, {len(FULL) - len(output) - heard} under way')
if not output or not FULL.endswith(output): fail('what it says is no continuation', output[:200])
if len(FULL) - len(output) < heard: fail('it says again what it had said')
frames = machine.resume()
kind, payload = frames.next()
if kind != FAILED or b'no command waits' not in payload: fail('resumed twice:', kind, payload)
machine.end()

# Another from the same file, whose command is ended by a signal before its end.
machine = Restored(arguments)
frames = machine.resume()
frames.send(SIGNAL, b'\x0f')
again = b''
while True:
    kind, payload = frames.next()
    if kind == STDOUT: again += payload
    elif kind != STARTED: break
if (kind, payload) != (SIGNALED, b'\x0f'): fail('not ended by a signal:', kind, payload)
if not FULL[len(FULL) - len(output):].startswith(again): fail('another continuation', again[:200])
machine.end()
print('resumed')
