"""Saves machines whose guest is ticks.c, and restores them: saved.py NOVMM BUNDLE DIRECTORY TRANSPORT [trees]."""
import array, os, random, re, resource, select, shutil, signal, socket, struct, subprocess, sys, time

NOVMM, BUNDLE, DIRECTORY, TRANSPORT = sys.argv[1:5]
os.chdir(DIRECTORY)

def fail(*words): sys.exit(' '.join(map(str, words)))

def initramfs():
    parts = ['', '.disk', '.balloon'] + ['.pci'] * (TRANSPORT == 'pci')
    return [f'{BUNDLE}/initramfs{part}' for part in parts if os.path.exists(f'{BUNDLE}/initramfs{part}')] + ['ticks']

def ticks_of(text):
    """By CPU, (number, nanoseconds) in order; only whole lines."""
    found = {}
    for cpu, number, moment in re.findall(rb'^t (\d+) (\d+) (\d+)\n', text, re.M):
        found.setdefault(int(cpu), []).append((int(number), int(moment)))
    return found

class Line:
    """A Unix socket that novmm connects to, and all that came of it."""
    def __init__(self, name):
        self.name, self.text, self.stream = name, b'', None
        if os.path.exists(name): os.unlink(name)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(name)
        self.listener.listen()

    def poll(self, seconds):
        watched = self.stream or self.listener
        if not select.select([watched], [], [], seconds)[0]: return
        if not self.stream:
            self.stream = self.listener.accept()[0]
            return
        piece = self.stream.recv(65536)
        if not piece: time.sleep(min(seconds, 0.05))
        self.text += piece

class Machine:
    shape = ['--memory', '192']

    def __init__(self, *options, cpus, kernel=True, disk=True):
        self.serial, self.console = Line('serial'), Line('console')
        if os.path.exists('control'): os.unlink('control')
        start = []
        if kernel:
            # What the kernel says when its host is busy would stand in the midst of a line.
            start = ['--kernel', f'{BUNDLE}/vmlinux', '--setup', f'{BUNDLE}/setup', '--cmdline',
                     'quiet panic=-1 console=ttyS0 nosoftlockup rcupdate.rcu_cpu_stall_suppress=1']
            for each in initramfs(): start += ['--initramfs', each]
        self.process = subprocess.Popen(
            [NOVMM, *start, *self.shape, '--cpus', str(cpus), '--transport', TRANSPORT, '--com1', 'unix:serial',
             '--console', 'unix:console', *['--disk', 'disk'][:2 * disk], '--balloon', '--control', 'control',
             '--read', '/=>files', '--vsock', 'vsock', *options],
            stderr=subprocess.PIPE, text=True)

    def until(self, condition, what, seconds=150):
        deadline = time.time() + seconds
        while not condition():
            if self.process.poll() is not None: fail(what, 'ended:', self.process.returncode, self.process.stderr.read())
            if time.time() > deadline:
                self.process.send_signal(signal.SIGQUIT)
                time.sleep(1)
                self.process.kill()
                fail('not in time:', what, self.serial.text[-600:], self.process.stderr.read())
            self.serial.poll(0.02)
            self.console.poll(0.001)
        if b'!' in self.serial.text: fail(what, re.findall(rb'![^\n]*', self.serial.text))

    def ticks(self): return ticks_of(self.serial.text)

    def ticking(self, cpus, count):
        def enough():
            found = self.ticks()
            return len(found) == cpus and all(len(each) >= count for each in found.values())
        self.until(enough, f'{count} ticks of each of {cpus} CPUs')

    def tell(self, order, answer):
        self.until(lambda: self.serial.stream, 'the serial port')
        start = len(self.serial.text)
        self.serial.stream.sendall(order.encode() + b'\n')
        found = []
        def answered():
            # Lines that are whole.
            found[:] = re.findall(answer, self.serial.text[start:self.serial.text.rfind(b'\n') + 1], re.M)
            return found
        self.until(answered, f'an answer to {order}')
        return found[0]

    def tree(self):
        """It mounts the tree, and one that loses its device while it is mounted has lost it."""
        self.tell('mount', rb'^mount a word$')
        self.tell('unbind', rb'^unbind 1$')
        self.save('without')
        self.expect('resume', 'running')
        self.tell('unmount', rb'^unmount none$')
        self.tell('bind', rb'^bind 1$')
        self.tell('mount', rb'^mount a word$')
        self.tell('unmount', rb'^unmount none$')

    def numbers(self):
        """How often it was told that it is another machine, -1 where the kernel cannot be; and random numbers."""
        count, numbers = self.tell('numbers', rb'^numbers (-?\d+) (\w+)$')
        return int(count), numbers

    def numbers_as(self, times):
        """Once it has been told so often."""
        for turn in range(200):
            count, numbers = self.numbers()
            if count in (-1, times): return numbers
            time.sleep(0.05)
        fail('told that it is another machine', count, 'times, not', times)

    def called(self, word):
        if os.path.exists('vsock_77'): os.unlink('vsock_77')
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind('vsock_77')
            listener.listen()
            start = len(self.serial.text)
            self.serial.stream.sendall(b'call ' + word + b'\n')
            self.until(lambda: select.select([listener], [], [], 0)[0], 'a call')
            with listener.accept()[0] as stream: stream.sendall(stream.recv(64)[::-1])
            self.until(lambda: b'called ' + word[::-1] + b'\n' in self.serial.text[start:], 'an answer to a call')

    def keeps(self):
        """A connection that the guest keeps: its other end."""
        if os.path.exists('vsock_77'): os.unlink('vsock_77')
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind('vsock_77')
            listener.listen()
            self.tell('keep a word', rb'^keep$')
            stream = listener.accept()[0]
        stream.settimeout(30)
        if stream.recv(64) != b'a word': fail('what came by a connection')
        return stream

    def echoed(self, word):
        self.until(lambda: self.console.stream, 'the console')
        start = len(self.console.text)
        self.console.stream.sendall(word)
        self.until(lambda: word in self.console.text[start:], 'the console')

    def control(self):
        client = socket.socket(socket.AF_UNIX)
        for _ in range(400):
            if client.connect_ex('control') == 0: break
            time.sleep(0.05)
        client.settimeout(120)
        return client

    def order(self, word, client=None, files=()):
        client = client or self.control()
        message = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', files))] if files else []
        client.sendmsg([word.encode() + b'\n'], message)
        answer = b''
        while not answer.endswith(b'\n'): answer += client.recv(1) or fail('no answer to', word)
        return answer.decode().strip()

    def expect(self, word, answer, files=()):
        found = self.order(word, files=files)
        if found != answer: fail(f'{word}: {found}, not {answer}')

    def save(self, name):
        if os.path.exists(name): os.unlink(name)
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self.expect('quiesce', 'quiesced')
        begin = time.time()
        self.expect('save', 'saved', [file])
        took = time.time() - begin
        os.close(file)
        return took

    def drain(self):
        """What the machine, which stands still, has said to its end."""
        for line in (self.serial, self.console):
            while line.stream and select.select([line.stream], [], [], 0.1)[0]:
                before = len(line.text)
                line.poll(0)
                if len(line.text) == before: break

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.drain()

def restored(before, name, cpus, *options):
    """A machine that goes on from a state, and what its guest has said since it was there as one text."""
    machine = Machine('--restore', name, *options, cpus=cpus, kernel=False)
    machine.serial.text = before
    return machine

def generation(name):
    """Of the machine that a state is of."""
    with open(name, 'rb') as file:
        file.seek(0xfe000)
        return file.read(16)

def check(machine, cpus):
    for cpu, found in machine.ticks().items():
        numbers = [number for number, _ in found]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            wrong = [pair for pair in zip(numbers, numbers[1:]) if pair[1] != pair[0] + 1]
            start = machine.serial.text.rfind(b't %d %d ' % (cpu, wrong[0][0]))
            fail('CPU', cpu, 'lost or repeated ticks at', wrong, machine.serial.text[start:start + 400])
        if numbers[0] != 0: fail('CPU', cpu, 'began with', numbers[0])
        gaps = [(after[1] - before[1], before[0]) for before, after in zip(found, found[1:])]
        widest = max(gaps)
        if min(gaps)[0] < 0: fail('time goes back on CPU', cpu, min(gaps))
        print(f'# CPU {cpu}: {len(numbers)} ticks, widest gap {widest[0] / 1e6:.0f} ms after tick {widest[1]}')

def story(cpus):
    with open('disk', 'wb') as disk: disk.write(os.urandom(1 << 20) + bytes(1 << 20))
    machine = Machine(cpus=cpus)
    machine.ticking(cpus, 5)
    machine.tell('hello early', rb'^hello early$')
    first = machine.tell('disk', rb'^disk (\w+)$')
    machine.echoed(b'before')
    machine.called(b'before')
    told = machine.numbers()[0]
    if told < 0 and TRANSPORT == 'pci': fail('this kernel has no driver of generations')
    print('# clock:', machine.tell('clock', rb'^clock (.+)$').decode())

    # What is no file to be saved to, and a machine that runs.
    empty = os.open('empty', os.O_RDWR | os.O_CREAT, 0o600)
    machine.expect('save', 'refused the machine runs; quiesce it first', [empty])
    machine.expect('quiesce', 'quiesced')
    machine.expect('save', "refused send a file's descriptor along with the order")
    wrong = "refused the descriptor is not that of an empty regular file that can be written, and not only appended to"
    machine.expect('save', wrong, [os.open('disk', os.O_RDWR)])
    machine.expect('save', wrong, [os.open('empty', os.O_RDONLY)])
    machine.expect('save', wrong, [os.open('empty', os.O_RDWR | os.O_APPEND)])
    machine.expect('save', wrong, [machine.serial.listener.fileno()])
    full = os.open('/dev/full', os.O_RDWR)
    machine.expect('save', wrong, [full])
    machine.expect('resume', 'running')
    machine.ticking(cpus, 15)

    # It goes on itself; then another does, from the same file, twice, each time behind what it has seen by then.
    stream = machine.keeps()
    took = machine.save('one')
    saved = time.monotonic()
    print(f'# saved in {took:.2f} s, {os.stat("one").st_blocks >> 11} MiB of {os.path.getsize("one") >> 20}')
    machine.drain()
    text = machine.serial.text
    machine.expect('resume', 'running')
    count = min(map(len, machine.ticks().values()))
    machine.ticking(cpus, count + 10)
    check(machine, cpus)
    # Its connections stay with it.
    stream.sendall(b'still here')
    machine.tell('kept', rb'^kept still here$')
    machine.kill()
    last = {cpu: found[-1] for cpu, found in ticks_of(text).items()}
    time.sleep(3)
    numbers, generations = set(), {generation('one')}
    for turn in range(2):
        gone = time.monotonic() - saved
        machine = restored(text, 'one', cpus)
        numbers.add(machine.numbers_as(told + 1))
        machine.ticking(cpus, count + 40)
        machine.tell(f'hello again {turn}', rb'^hello again$|^hello again \d$')
        machine.tell('random', rb'^random \w+$')
        second = machine.tell('disk', rb'^disk (\w+)$')
        if second == first: fail('the disk is as it was before it was written')
        first = second
        machine.tell('kept', rb'^kept lost$')
        machine.echoed(b'after')
        machine.called(b'after')
        machine.tree()
        check(machine, cpus)
        # Nobody was away; half the time is a host that is busy.
        for cpu, (number, moment) in last.items():
            away = machine.ticks()[cpu][number + 1][1] - moment
            print(f'# CPU {cpu}: {away / 1e6:.0f} ms between the last tick before and the first one after')
            if away > 1e9 * max(2.5, gone / 2): fail('CPU', cpu, 'was away for', away, 'ns')
        if turn == 0: machine.kill()
    if told >= 0 and len(numbers) != 2: fail('two machines from one file draw', numbers)

    # One after the other, at any moment.
    for turn in range(3):
        time.sleep(random.random() / 5)
        machine.serial.poll(0)
        machine.save('next')
        machine.kill()
        text, count = machine.serial.text, min(map(len, machine.ticks().values()))
        os.replace('next', 'chain')
        generations.add(generation('chain'))
        machine = restored(text, 'chain', cpus)
        machine.ticking(cpus, count + 30)
        machine.tell(f'hello {turn}', rb'^hello \d$')
    check(machine, cpus)
    if len(generations) != 4: fail('machines have one generation:', generations)
    machine.numbers_as(told + 4 if told >= 0 else told)
    machine.serial.stream.sendall(b'off\n')
    deadline = time.time() + 60
    # Who does not read holds the guest up.
    while machine.process.poll() is None and time.time() < deadline: machine.serial.poll(0.05)
    if machine.process.poll() != 0:
        machine.process.kill()
        fail('status', machine.process.returncode, machine.process.stderr.read())

    # Who is to stay the same machine does.
    kept = []
    for turn in range(2):
        machine = restored(text, 'chain', cpus, '--keep-identity')
        kept.append(machine.numbers())
        machine.save('kept')
        if generation('kept') != generation('chain'): fail('another generation')
        machine.kill()
    if {count for count, _ in kept} != {told + 3 if told >= 0 else told}: fail('told that it is another machine:', kept)
    print(f'# without, two draw', 'the same' if kept[0] == kept[1] else 'other numbers')
    print(f'{cpus} CPUs: as they should')

def trees(cpus):
    """Trees that are mounted: layers for reading and for writing, and a share."""
    maps = ['--write', '/w=>written', '--share', '/s=>shared:tag=s', '--dax', '16']
    for name in ['files/many', 'files/w/many', 'files/a/b', 'files/s', 'shared/many']: os.makedirs(name, exist_ok=True)
    for number in range(300):
        for name in ['files/many', 'files/w/many', 'shared/many']: open(f'{name}/name{number}', 'w').close()
    for name, text in [('files/big', os.urandom(3000000)), ('files/a/b/c', b'deep'), ('files/w/changed', b'by the host'),
                       ('files/w/below', b''), ('files/swapped', b'before'), ('shared/from-host', b'shared')]:
        with open(name, 'wb') as file: file.write(text)
    if not os.path.exists('files/twin'): os.link('files/a/b/c', 'files/twin')
    shutil.rmtree('written', ignore_errors=True)
    os.mkdir('written')
    machine = Machine(*maps, cpus=cpus)
    machine.ticking(cpus, 5)
    counts = machine.tell('files', rb'^files (\d+) (\d+) (\d+)$')
    if not all(0 < int(count) < 300 for count in counts): fail('no listing is half-way:', counts)

    # What has no name any more cannot be found again, and is not copied but for files.
    machine.tell('enter', rb'^enter$')
    machine.expect('quiesce', 'quiesced')
    with open('empty', 'w+') as file:
        machine.expect('save', 'refused a removed file or directory is in use; have it closed first', [file.fileno()])
    machine.expect('resume', 'running')
    machine.tell('leave', rb'^leave$')
    machine.tell('hold', rb'^hold$')

    took = machine.save('mounted')
    print(f'# saved in {took:.2f} s, with trees')
    machine.kill()
    text = machine.serial.text
    with open('files/new', 'w') as file: file.write('after')
    os.replace('files/new', 'files/swapped')
    machine = restored(text, 'mounted', cpus, *maps)
    machine.tell('look', rb'^look two$')
    machine.tell('drop', rb'^drop held$')
    found = machine.tell('swapped', rb'^swapped (.*)$')
    if found != b'Stale file handle, after': fail('what was swapped is', found)
    machine.save('changed')
    machine.kill()
    first, text = text, machine.serial.text
    os.replace('changed', 'next')
    for turn in range(3):
        machine = restored(text, 'next', cpus, *maps)
        machine.tell('look', rb'^look two$')
        time.sleep(random.random() / 5)
        machine.serial.poll(0)
        machine.save('later')
        machine.kill()
        os.replace('later', 'next')
        text = machine.serial.text
    check(machine, cpus)
    for name in ['written/lines', 'shared/lines']:
        with open(name) as file: lines = file.read().split('\n')
        # The last one may be under way.
        numbers = [int(line) for line in lines[:-1]]
        if numbers != list(range(len(numbers))) or len(numbers) < 64: fail(name, 'has', numbers[-10:])
        print(f'# {name}: {len(numbers)} lines')
    for name, text in [('written/one', 'two'), ('written/changed', 'by the guest'), ('files/w/changed', 'by the host')]:
        with open(name) as file:
            if file.read() != text: fail(name, 'is something else')
    if os.stat('written/one').st_nlink != 2: fail('one file has other names')

    # A second one from the first file, for what the first one has not changed.
    machine = restored(first, 'mounted', cpus, *maps)
    machine.tell('glance', rb'^glance$')
    machine.tell('drop', rb'^drop held$')
    machine.kill()
    other = maps[2:]
    refused('damaged state, or one of another machine', file='next', cpus=cpus,
            devices=['--read', '/=>files', '--vsock', 'vsock', '--disk', 'disk', '--balloon', *other])
    print(f'{cpus} CPUs, with trees: as they should')

def without_room():
    """A state that does not fit takes no room, and its machine goes on, which has no disk nor anything else that it writes to."""
    machine = Machine(cpus=1, disk=False)
    machine.ticking(1, 5)
    machine.expect('quiesce', 'quiesced')
    file = os.open('full', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    before = resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE, (8 << 20, before[1]))
    machine.expect('save', 'refused the file: File too large', [file])
    if os.fstat(file).st_size: fail('what was not saved takes', os.fstat(file).st_size, 'bytes')
    machine.expect('resume', 'running')
    machine.ticking(1, min(map(len, machine.ticks().values())) + 5)
    check(machine, 1)
    # With room it is.
    machine.expect('quiesce', 'quiesced')
    resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE, before)
    machine.expect('save', 'saved', [file])
    machine.kill()
    print('without room: as it should')

def refused(words, *options, cpus=1, file='bad', shape=None, devices=('--read', '/=>files', '--vsock', 'vsock', '--disk', 'disk', '--balloon')):
    run = subprocess.run(
        [NOVMM, '--restore', file, '--cpus', str(cpus), '--com1', 'out', '--console', 'out2', *devices,
         *(shape or [*Machine.shape, '--transport', TRANSPORT]), *options], stderr=subprocess.PIPE, text=True, timeout=60)
    if run.returncode not in (1, 2) or not re.search(words, run.stderr) or run.stderr.count('\n') != 1:
        fail('refusal:', words, 'status', run.returncode, run.stderr)

def hostile():
    """Of the state of one CPU."""
    with open('chain', 'rb') as file:
        file.seek(-16, os.SEEK_END)
        start, length = struct.unpack('<QQ', file.read())
        file.seek(start)
        stream = file.read(length)
    subprocess.run(['cp', '--sparse=always', 'chain', 'bad'], check=True)
    def write(tail, at=start):
        with open('bad', 'r+b') as file:
            file.truncate(at)
            file.seek(at)
            file.write(tail)
    def end(start, length): return b'novmfile' + struct.pack('<QQ', start, length)
    other = 'mmio' if TRANSPORT == 'pci' else 'pci'
    refused('give --memory 192', file='chain', shape=['--memory', '256', '--transport', TRANSPORT])
    refused('other processors, 1 of them', file='chain', cpus=2)
    refused('other --transport', file='chain', shape=[*Machine.shape, '--transport', other])
    refused('fewer devices', '--disk', 'disk2', file='chain')
    files = ['--read', '/=>files', '--vsock', 'vsock']
    refused('more devices', file='chain', devices=[*files, '--balloon'])
    refused('another machine', file='chain', devices=[*files, '--disk', 'disk'])
    refused('another machine .devi, field 2', file='chain', devices=[*files[:3], 'vsock,cid=9', '--disk', 'disk', '--balloon'])
    refused('--restore: has its kernel', '--kernel', 'x', file='chain')
    refused('No such file', file='none')
    refused('no machine', file='/dev/null')
    refused('no machine', file='.')
    whole = stream + end(start, length)
    for cut in [1, 24, 1000, length + 24]:
        write(whole[:-cut])
        refused('no machine')
    write(b'', 0)
    refused('no machine')
    for tail, at in [(stream + end(start, 1 << 40), start), (stream + end(1 << 63, length), start),
                     (stream[8:] + end(start, length - 8), start), (stream + end(start - 4096, length), start - 4096)]:
        write(tail, at)
        refused('damaged|no machine')
    for _ in range(20):
        place = random.randrange(length)
        write(stream[:place] + bytes([stream[place] ^ 1 << random.randrange(8)]) + stream[place + 1:] + end(start, length))
        refused('state|version')
    print('hostile states: refused')

os.mkdir('files')
with open('files/word', 'w') as word: word.write('a word')
for name in ['disk', 'disk2']:
    with open(name, 'wb') as disk: disk.truncate(1 << 20)
if sys.argv[5:]:
    trees(1)
    trees(2)
else:
    story(2)
    story(1)
    hostile()
    without_room()
