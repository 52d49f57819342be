"""Container images: what comes from a registry, and what the store takes, beside Podman; a command in a machine of an image
beside one of a directory; and a tree in as many layers as Docker's images may have beside the same tree in one.

What counts are the seconds for which the host's processor was busy, the registry's among them, which is a server of files on
loopback and the same for both.
"""

import gzip
import hashlib
import http.server
import io
import json
import os
import random
import statistics
import subprocess
import tarfile
import threading

import costs
from guests import Guest

# Of the image that is pulled.
PULLED_LAYERS = 5
LAYER_SIZE = 24 << 20
RUNS = 3
# Of the tree in many layers.
LAYERS = 127
DIRECTORIES = 120
FILES = 1500


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def archive(files):
    """A layer: contents by path, the directories that lead there with them."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        directories = {path[:place] for path in files for place, letter in enumerate(path) if letter == "/"}
        for name in sorted(directories):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.mode, info.size = 0o755, len(data)
            tar.addfile(info, io.BytesIO(data))
    return target.getvalue()


def save(path, name, layers):
    """Writes an image of layers, the lowest first, in the form of `docker save`."""
    layers = [archive(files) for files in layers]
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}).encode()
    files = {f"{number}.tar": layer for number, layer in enumerate(layers)}
    files["manifest.json"] = json.dumps([{"Config": "config", "RepoTags": [name], "Layers": list(files)}]).encode()
    with open(path, "wb") as file:
        file.write(archive(files | {"config": config}))


def tree():
    """The layers: half of the files in the lowest, the others in places of two directories each, and one file anew in each."""
    source = random.Random(1)
    with open("/bin/busybox", "rb") as busybox:
        layers = [{"bin/busybox": busybox.read()}] + [{} for _ in range(LAYERS - 1)]
    for number in range(FILES):
        data = source.randbytes(source.randrange(500, 12_000))
        if number < FILES / 2:
            layer, place = 0, number % DIRECTORIES
        else:
            layer = 1 + number % (LAYERS - 1)
            place = (layer * 7 + number % 2) % DIRECTORIES
        layers[layer][f"small/{place:03d}/{number:04d}"] = data
    for number, layer in enumerate(layers):
        layer["small/status"] = b"%d\n" % number
    return layers


PHASES = {
    "find": "/bin/busybox find /small -type f -perm -400",
    "read": "/bin/busybox find /small -type f -exec /bin/busybox cat {} +",
}


def measure_layers(environment, scratch, row):
    layers = tree()
    script = "".join(f"echo @{name}; {command} >/dev/null; echo @end\n" for name, command in PHASES.items())
    both = []
    for name, parts in ("one:1", [{path: data for layer in layers for path, data in layer.items()}]), ("many:1", layers):
        save(f"{scratch}/image.tar", name, parts)
        subprocess.run([os.environ["NOVM"], "load", "--input", f"{scratch}/image.tar"], env=environment, check=True,
                       stdout=subprocess.DEVNULL)
        os.remove(f"{scratch}/image.tar")
        command = [os.environ["NOVM"], "run", "--kernel", "cloud", "--image", name, "--",
                   "/bin/busybox", "sh", "-c", script]
        for _ in range(2):  # The first one warms.
            guest = Guest(command, env=environment)
            counted = costs.costs(guest, PHASES)
        both.append(counted)
    for name in PHASES:
        one, many = (counted[name] for counted in both)
        row(f"image-layers-{name}", "s", many.busy, one.busy, "one layer", bound=1.3,
            costs={who: {"guest": cost.guest, "host": cost.host} for who, cost in (("ours", many), ("peer", one))})


class Registry:
    """Serves images by their names: layers, the lowest first, by their contents."""

    def __init__(self, images):
        self.blobs, self.manifests = {}, {}
        kind = "application/vnd.oci.image."
        for name, layers in images.items():
            config = json.dumps({
                "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}).encode()
            descriptors = []
            for data, what in [(config, "config.v1+json")] + [(layer, "layer.v1.tar+gzip") for layer in layers]:
                if what.endswith("gzip"):
                    data = self.compressed(data)
                self.blobs[digest(data)] = data
                descriptors.append({"mediaType": kind + what, "digest": digest(data), "size": len(data)})
            self.manifests[name] = json.dumps({
                "schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": descriptors[0],
                "layers": descriptors[1:]}).encode()

        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                words = self.path.split("/")
                data, kind = b"{}", "application/json"
                if "manifests" in words:
                    data, kind = registry.manifests[words[2]], "application/vnd.oci.image.manifest.v1+json"
                elif "blobs" in words:
                    data, kind = registry.blobs[words[-1]], "application/octet-stream"
                self.send_response(200)
                for field, value in (("Content-Type", kind), ("Content-Length", len(data)),
                                     ("Docker-Content-Digest", digest(data) if "manifests" in words else words[-1])):
                    self.send_header(field, str(value))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data)

            do_HEAD = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    _known = {}

    def compressed(self, layer):
        key = digest(layer)
        if key not in self._known:
            self._known[key] = gzip.compress(layer, 1, mtime=0)
        return self._known[key]


def large_layer(number):
    """Files of several sizes; half of what is in them can be compressed, as programs can."""
    source = random.Random(number)
    files, left = {}, LAYER_SIZE
    while left > 0:
        size = min(left, int(2 ** source.uniform(9, 21)))
        same = source.randbytes(64) * (size // 128 + 1)
        files[f"usr/{number}/{len(files) % 17:02d}/{len(files):04d}"] = source.randbytes(size // 2) + same[:size - size // 2]
        left -= size
    return archive(files)


def spent(command, environment):
    """Seconds of processors, until all is on the disk."""
    os.sync()
    before = costs.busy()
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=900,
                   stderr=subprocess.PIPE, text=True)
    os.sync()
    return costs.busy() - before


def size_of(directory):
    """MiB on the disk; a file with several names counts once."""
    seen = {}
    for place, directories, files in os.walk(directory):
        for name in directories + files:
            status = os.lstat(f"{place}/{name}")
            seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values()) / 1048576


def measure_registry(environment, scratch, row):
    small = archive({"bin/one": b"1" * 100_000}), archive({"bin/two": b"2" * 3000, "etc/two": b"x"})
    layers = [large_layer(number) for number in range(PULLED_LAYERS)]
    registry = Registry({"large": layers, "one": [*layers, small[0]], "two": [*layers, small[1]]})
    novm = [os.environ["NOVM"], "pull", "--quiet"]
    podman = ["podman", "--root", f"{scratch}/podman", "--runroot", f"{scratch}/podman-run", "--storage-driver", "overlay"]
    words = subprocess.run(["podman", "--version"], env=environment, capture_output=True, text=True, check=True).stdout
    peer = f"podman {words.split()[-1]}"
    pull = [*podman, "pull", "--quiet", "--tls-verify=false"]
    # What of the programs is on the disk only would be theirs who come first.
    spent([*podman, "images"], environment)
    spent([os.environ["NOVM"], "images"], environment)
    name = f"{registry.host}/large:1"
    row("image-pull", "s", spent([*novm, name], environment), spent([*pull, name], environment), peer, bound=0.8)
    ours = statistics.median(spent([*novm, name], environment) for _ in range(RUNS))
    theirs = statistics.median(spent([*pull, name], environment) for _ in range(RUNS))
    row("image-pull-again", "s", ours, theirs, peer, bound=0.3)
    for name in "one", "two":
        spent([*novm, f"{registry.host}/{name}:1"], environment)
        spent([*pull, f"{registry.host}/{name}:1"], environment)
    row("image-size", "MiB", size_of(environment["NOVM_ROOT"]), size_of(f"{scratch}/podman"), peer, bound=1.02)


def measure_run(environment, scratch, row):
    """A machine of an image of busybox, and of a directory with the same in it."""
    with open("/bin/busybox", "rb") as busybox:
        files = {"bin/busybox": busybox.read(), "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n"}
    for name, data in files.items():
        path = f"{scratch}/directory/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o755)
    save(f"{scratch}/image.tar", "busybox:1", [files])
    novm = os.environ["NOVM"]
    spent([novm, "load", "--input", f"{scratch}/image.tar"], environment)
    seconds = [], []
    run = [novm, "run", "--kernel", "cloud"]
    for turn in range(RUNS + 1):
        for source, times in zip((["--image", "busybox:1"], ["--read", f"{scratch}/directory"]), seconds):
            took = spent([*run, *source, "--", "/bin/busybox", "true"], environment)
            if turn:  # The first ones warm.
                times.append(took)
    row("image-run", "s", *[statistics.median(times) for times in seconds], "a directory", bound=1.05)


def measure(kernels, scratch, row):
    environment = dict(os.environ, NOVM_ROOT=f"{scratch}/store", HOME=scratch)
    if any(row.wants(name) for name in ("image-pull", "image-pull-again", "image-size")):
        measure_registry(dict(environment, NOVM_ROOT=f"{scratch}/pulled"), scratch, row)
    if row.wants("image-run"):
        measure_run(environment, scratch, row)
    if any(row.wants(f"image-layers-{name}") for name in PHASES):
        measure_layers(environment, scratch, row)
