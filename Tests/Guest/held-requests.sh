# A guest that offers requests for ever and takes none back, to every kind of device at once: the monitor's memory, descriptors and
# threads have bounds, and so has the work of its loop before others have their turn. `novmm` by hand; the guest is Tests/held/hold.c.
#: as root
#: also tester
#: timeout 200
command -v python3 >/dev/null || skip 'python3 is not installed'
command -v gcc >/dev/null || skip 'gcc is not installed'
source=$PWD/Tests/held/hold.c
cd "$TEST"
gcc -O2 -ffreestanding -fno-pic -fno-stack-protector -mno-red-zone -mgeneral-regs-only -nostdlib -static \
  -Wl,-Ttext=0x1000000,--build-id=none,-z,noexecstack -o kernel "$source"
mkdir read write share
head -c 4M /dev/urandom | tee disk memory >share/file

python3 - "$NOVM_LIBEXEC/novmm" <<'END'
import os, resource, signal, socket, subprocess, sys, threading, time

NOVMM, = sys.argv[1:]
DESCRIPTORS = 512
SECONDS = 12

def fail(words): sys.exit(f'failed: {words}: {open("errors").read()}{open("log").read()[-2000:]}')

def lines(word): return [line.split() for line in open('log').read().split('\n')[:-1] if line.startswith(word)]

def until(condition, what):
    deadline = time.time() + 60
    while not condition():
        if time.time() > deadline: fail(f'not in time: {what}')
        if machine.poll() is not None: fail(f'{what}: it ended with {machine.returncode}')
        time.sleep(0.05)

# A line that has something for the guest, and does not read what that says; a link that is as busy.
line = socket.socket(socket.AF_UNIX)
line.bind('line')
line.listen()
link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
def send(end, data):
    try:
        while True: end.sendall(data)
    except OSError: pass
def take(end):
    while end.recv(1 << 16): pass
threading.Thread(target=lambda: send(line.accept()[0], bytes(65536)), daemon=True).start()
threading.Thread(target=send, args=(link, (64).to_bytes(4, 'big') + b'\xff' * 6 + bytes(58)), daemon=True).start()
threading.Thread(target=take, args=(link,), daemon=True).start()

machine = subprocess.Popen(
    [NOVMM, '--kernel', 'kernel', '--memory', '64', '--prefault', '--read', 'read', '--write', '/=>write',
     '--share', f'/s=>{os.getcwd()}/share:tag=s', '--nic', f'stream=fd:{theirs.fileno()}',
     '--disk', 'disk,iops=100', '--entropy-rate', '4K', '--pmem', 'memory', '--balloon',
     '--console', 'unix:line', '--vsock', 'guest.sock', '--com1', 'log', '--control', 'control'],
    stderr=open('errors', 'w'), pass_fds=[theirs.fileno()],
    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)))
until(lambda: os.path.exists('log') and lines('turns'), 'the driver')
# Card, disk, console, entropy, balloon, streams, tree and share, persistent memory.
kinds = sorted(map(int, lines('devices')[0][1:]))
if kinds != [1, 2, 3, 4, 5, 19, 26, 26, 27]: fail(f'devices {kinds}')

def measure():
    """KiB, descriptors, threads."""
    status = dict(line.split(':', 1) for line in open(f'/proc/{machine.pid}/status'))
    return int(status['VmRSS'].split()[0]), len(os.listdir(f'/proc/{machine.pid}/fd')) if os.geteuid() == 0 else 0, int(status['Threads'])

def work():
    """Seconds that the loop's thread has worked."""
    return int(open(f'/proc/{machine.pid}/task/{machine.pid}/schedstat').read().split()[0]) / 1e9

def ask():
    """How much the loop worked until a new client had its answer, and how long that took."""
    before, start = work(), time.time()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect('control')
        client.sendall(b'usage\n')
        said = client.recv(4096)
    if not said.startswith(b'usage'): fail(f'usage: {said}')
    return work() - before, time.time() - start, said.decode().strip()

time.sleep(3)
first = most = measure()
asked = most_work = most_time = 0
begun = len(lines('turns'))
end = time.time() + SECONDS
while time.time() < end or len(lines('turns')) < begun + 2:
    if machine.poll() is not None: fail(f'it ended with {machine.returncode}')
    if time.time() > end + 60: fail('the driver does not go on')
    worked, took, usage = ask()
    most_work, most_time, asked = max(most_work, worked), max(most_time, took), asked + 1
    most = tuple(map(max, most, measure()))
    time.sleep(0.1)
summary = (f'{" ".join(lines("turns")[-1])}; at first and at most {first[0]} and {most[0]} KiB, {first[1]} and {most[1]} descriptors, '
           f'{first[2]} and {most[2]} threads; {asked} orders, the loop worked for {most_work:.3f} s at most before it answered, '
           f'{most_time:.3f} s by the clock; {usage}')
print(summary)
for device in lines('turns')[-1][2:]:
    kind, told = device.split(':')
    begun, *used = map(int, told.split('/'))
    # One that has just begun anew has done nothing yet.
    if begun == 1 and not any(used): fail(f'nothing was done by the device of kind {kind}')
if most[0] > first[0] + (16 << 10): fail('memory')
# The guest's open directories have what the monitor leaves them, and no more.
if most[1] > DESCRIPTORS: fail('descriptors')
if most[2] > first[2] + 8: fail('threads')
if most_work > 1: fail('the loop works too long')
machine.send_signal(signal.SIGTERM)
time.sleep(0.2)
machine.send_signal(signal.SIGTERM)
try: status = machine.wait(60)
except subprocess.TimeoutExpired: fail('it does not end')
if status != 128 + signal.SIGTERM: fail(f'status {status}')
END
