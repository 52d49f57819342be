# A registry that does what registries do on bad days, and what they must not: the repository's name says which. It serves one
# image of two layers, at 127.0.0.1 and 127.0.0.2 and a port that it prints, and notes each request in the file `log`.
import base64, gzip, hashlib, http.server, io, json, sys, tarfile, threading, time

def digest(data): return 'sha256:' + hashlib.sha256(data).hexdigest()

def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()

noise = bytes(hashlib.sha256(bytes([i & 255, i >> 8])).digest()[0] for i in range(60000))
tars = [tar([('base', b'base'), ('gone', b'x'), ('noise', noise)]), tar([('.wh.gone', b''), ('above', b'above'), ('na\u00efve', b'name')])]
layers = [gzip.compress(data, mtime=0) for data in tars]
kind = 'application/vnd.oci.image.'

def configuration(**more):
    return json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {'Cmd': ['/above']},
                       'rootfs': {'type': 'layers', 'diff_ids': [digest(data) for data in tars]}, **more}).encode()

def described(data, what, **more): return {'mediaType': kind + what, 'digest': digest(data), 'size': len(data), **more}

config = configuration()
def manifest_of(**more):
    return json.dumps({'schemaVersion': 2, 'mediaType': kind + 'manifest.v1+json', 'config': described(config, 'config.v1+json'),
                       'layers': [described(data, 'layer.v1.tar+gzip') for data in layers], **more}).encode()

manifest = manifest_of()
def platform(name, variant=None): return {'platform': {'os': 'linux', 'architecture': name, **({'variant': variant} if variant else {})}}
def index(*entries): return json.dumps({'schemaVersion': 2, 'mediaType': kind + 'index.v1+json', 'manifests': list(entries)}).encode()
other = b'{"other": true}'
indices = {
    'index': index(described(other, 'manifest.v1+json', **platform('arm64', 'v8')),
                   described(other, 'manifest.v1+json', annotations={'vnd.docker.reference.type': 'attestation-manifest'},
                             platform={'os': 'unknown', 'architecture': 'unknown'}),
                   described(other, 'manifest.v1+json', **platform('amd64', 'v3')),
                   described(manifest, 'manifest.v1+json', **platform('amd64'))),
    'arm': index(described(other, 'manifest.v1+json', **platform('arm64', 'v8'))),
    'both': manifest_of(manifests=[described(manifest, 'manifest.v1+json')]),
    'thousand': manifest_of(layers=[described(layers[0], 'layer.v1.tar+gzip')] * 1000),
    'deep': b'[' * 1000000, 'deeper': b'{"config":' * 300000, 'text': b'hello', 'empty': b'',
    'huge': b' ' * (5 << 20),
    'schema1': json.dumps({'schemaVersion': 1, 'name': 'x', 'fsLayers': [{'blobSum': digest(layers[0])}]}).encode(),
    'sizes': manifest_of(config={**described(config, 'config.v1+json'), 'size': 1 << 40}),
    'numbers': manifest_of(config={**described(config, 'config.v1+json'), 'size': -1}),
    'few': manifest_of(layers=[described(layers[0], 'layer.v1.tar+gzip')]),
    'room': manifest_of(layers=[{**described(data, 'layer.v1.tar+gzip'), 'size': 1 << 62} for data in layers]),
    # Lines and NULs, which end what fields and orders say.
    'typed': manifest_of(mediaType='x\r\nX-Evil: 1\0verify=no'),
    'config-digest': manifest_of(config={**described(other, 'config.v1+json'), 'digest': digest(b'x')}),
}
indices['described-cut'] = indices['index']
seen, lock = {}, threading.Lock()
pieces, stored = {}, {}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_): pass

    def answer(self, status, body=b'', **fields):
        self.send_response(status)
        for name, value in fields.items(): self.send_header(name.replace('_', '-'), value)
        if 'Content_Length' not in fields: self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)

    def error(self, status, code='DENIED', **fields):
        self.answer(status, json.dumps({'errors': [{'code': code, 'message': f'words of {code}\x1b[31m'}]}).encode(), **fields)

    def endless(self, status, **fields):
        self.send_response(status)
        for name, value in fields.items(): self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        self.close_connection = True
        try:
            while self.command != 'HEAD': self.wfile.write(bytes(1 << 16))
        except OSError: pass

    def count(self, what=None):
        what = what or self.path
        with lock: seen[what] = seen.get(what, 0) + 1
        return seen[what]

    def refused(self, name):
        own = f'http://{self.headers["Host"]}'
        given = self.headers.get('Authorization', '')
        if name == 'basic' and given != 'Basic ' + base64.b64encode(b'me:secret').decode():
            return self.error(401, WWW_Authenticate='Basic realm="x"') or True
        if name in ('never', 'never-basic'):
            form = f'Bearer realm="{own}/token",service="here"' if name == 'never' else 'Basic realm="x"'
            return self.error(401, WWW_Authenticate=form) or True
        realms = {'token': f'{own}/token', 'private': f'{own}/token', 'realm-file': 'file:///etc/passwd', 'realm-none': '',
                  'realm-text': f'{own}/text', 'realm-lines': f'{own}/lines', 'realm-user': f'http://me@{self.headers["Host"]}/token',
                  'realm-this-host': f'{own}/away'}
        if name in realms and given != f'Bearer good-repository:{name}:pull':
            return self.error(401, WWW_Authenticate=f'Bearer realm="{realms[name]}",service="here",scope="x"') or True
        return False

    def do_HEAD(self): self.do_GET()
    def do_POST(self): self.take()
    def do_PATCH(self): self.take()
    def do_PUT(self): self.take()

    def note(self):
        # As a proxy it is asked for other hosts' things, and has them.
        self.path = self.path.removeprefix(f'http://{self.headers["Host"]}')
        with lock, open('log', 'a') as log:
            print(self.command, self.path, self.headers.get('Range', '-'), self.headers.get('Authorization', '-'), file=log)

    # What is sent: pieces are kept by the repository, and written below its name once they are whole.
    def take(self):
        self.note()
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        name = self.path.split('/')[2]
        if 'X-Evil' in self.headers: return self.answer(418)
        if name == 'push-refused': return self.error(403)
        if name == 'push-unknown': return self.error(404, 'NAME_UNKNOWN')
        if name == 'push-token' and 'push' not in self.headers.get('Authorization', ''):
            return self.error(401, WWW_Authenticate=f'Bearer realm="http://{self.headers["Host"]}/token",service="here"')
        if '/manifests/' in self.path:
            said = digest(b'x') if name == 'push-lies' else digest(body)
            with lock: stored.setdefault(name, {})[digest(body)] = body
            return self.answer(201, Docker_Content_Digest=said)
        if self.command == 'POST':
            with lock: pieces[name] = b''
            if 'mount=' in self.path and name == 'push-mounts':
                wanted = self.path.split('mount=sha256%3A')[1].split('&')[0]
                with lock: stored.setdefault(name, {})['sha256:' + wanted] = None
                return self.answer(201)
            if name == 'push-nowhere': return self.answer(202)
            place = {'push-file': 'file:///etc/passwd', 'push-lines': '/v2/a b', 'push-user': f'http://me@{self.headers["Host"]}/x'}
            return self.answer(202, Location=place.get(name, f'/v2/{name}/blobs/uploads/1?state=a'), OCI_Chunk_Min_Length='16')
        if self.command == 'PATCH':
            start = int(self.headers['Content-Range'].split('-')[0])
            if name in ('push-busy', 'push-gone'): return self.error(503)
            # Takes a little, and then has nothing.
            if name == 'push-back': return self.answer(202, Location=self.path, Range='0-5') if self.count(name) % 2 else self.error(503)
            if start != len(pieces[name]): return self.error(416)
            if name == 'push-cut' and self.count() == 1: body = body[:1000]
            if name == 'push-little': body = body[:2]
            with lock: pieces[name] += body
            if name == 'push-cut' and len(body) == 1000:
                self.close_connection = True
                return
            last = 5 if name == 'push-short' else (1 << 64) - 1 if name == 'push-long' else len(pieces[name]) - 1
            return self.answer(202, Location=f'/v2/{name}/blobs/uploads/1?state=b', Range=f'0-{last}')
        which = 'sha256:' + self.path.split('digest=sha256%3A')[1]
        if name in ('push-closes', 'push-late'):
            # The first time it has heard all, and does not come to say so; it is there at once, or later. The upload is gone then.
            times = self.count()
            if times == (1 if name == 'push-closes' else 2):
                with lock: stored.setdefault(name, {})[which] = pieces[name]
            if times > 1: return self.error(404, 'BLOB_UPLOAD_UNKNOWN')
            self.close_connection = True
            return
        if digest(pieces[name]) != which: return self.error(400, 'DIGEST_INVALID')
        with lock: stored.setdefault(name, {})[which] = pieces[name]
        self.answer(201)

    def do_GET(self):
        self.note()
        if '/v2/push-' in self.path:
            name, which = self.path.split('/')[2], self.path.split('/')[-1]
            if name == 'push-gone' and '/uploads/' in self.path: return self.error(404, 'BLOB_UPLOAD_UNKNOWN')
            if '/uploads/' in self.path: return self.answer(204, Range=f'0-{max(len(pieces[name]), 1) - 1}')
            if which in stored.get(name, {}): return self.answer(200, stored[name][which] or b'')
            return self.error(404, 'BLOB_UNKNOWN')
        if self.path.startswith('/token'):
            from urllib.parse import parse_qs, urlparse
            scope = parse_qs(urlparse(self.path).query).get('scope', [''])[0]
            if 'private' in scope and self.headers.get('Authorization') != 'Basic ' + base64.b64encode(b'me:secret').decode():
                return self.error(401, 'UNAUTHORIZED')
            return self.answer(200, json.dumps({'token': f'good-{scope}', 'expires_in': 300}).encode())
        if self.path.startswith('/away'):
            return self.answer(307, Location=f'http://localhost:{server.server_port}/token{self.path[5:]}')
        if self.path.startswith('/text'): return self.answer(200, b'hello')
        if self.path.startswith('/lines'): return self.answer(200, b'{"token": "a\\r\\nX-Evil: 1"}')
        if self.path == '/v2/': return self.answer(200, b'{}')
        if self.path.startswith('/elsewhere/'): return self.blob('good', self.path[11:])
        parts = self.path.split('/')
        if len(parts) < 5: return self.error(404)
        name, what, which = parts[2], parts[3], parts[4]
        if self.refused(name): return
        if what == 'manifests': self.manifest(name, which)
        else: self.blob(name, which)

    def manifest(self, name, which):
        if name == 'missing': return self.error(404, 'MANIFEST_UNKNOWN')
        if name == 'head':
            self.send_response(200)
            for i in range(100): self.send_header(f'X-{i}', 'x' * 50000)
            return self.end_headers()
        if name == 'endless-503': return self.endless(503, Retry_After='0')
        if name == 'endless-404': return self.endless(404)
        if name == 'endless-307' and self.command == 'GET': return self.endless(307, Location=self.path)
        if name == 'loop-manifest': return self.answer(307, Location=self.path)
        if name == 'busy' and self.count() < 3: return self.error(429, 'TOOMANYREQUESTS', Retry_After='0')
        if name == 'busy-ever': return self.error(429, 'TOOMANYREQUESTS', Retry_After='86400')
        if name == 'lies': return self.answer(200, manifest, Docker_Content_Digest=digest(b'x'))
        data = next((data for data in (manifest, other) if digest(data) == which), None) or indices.get(name, manifest)
        if name == 'loops': data = index({**described(b'', 'index.v1+json'), 'digest': digest(b'')})
        if name == 'described-cut' and which.startswith('sha256:') and self.cut(data): return
        self.answer(200, data, Content_Type=kind + 'manifest.v1+json', Docker_Content_Digest=digest(data))

    def cut(self, data):
        # The first part, then the rest for who asks for it; anything else is refused.
        times, wanted = self.count(), self.headers.get('Range')
        if times > 1 and wanted != 'bytes=100-': return self.error(403) or True
        if times > 1: return self.answer(206, data[100:], Content_Range=f'bytes 100-{len(data) - 1}/{len(data)}') or True
        self.answer(200, data[:100], Content_Length=str(len(data)))
        self.close_connection = True
        return True

    def blob(self, name, which):
        data = next((data for data in (config, *layers) if digest(data) == which), None)
        if data is None: return self.error(404, 'BLOB_UNKNOWN')
        if name == 'described-cut' and data == config and self.cut(data): return
        if data != layers[0]: return self.answer(200, data)
        times = self.count()
        if name == 'altered': data = data[:-1] + bytes([data[-1] ^ 1])
        if name == 'swapped': data = gzip.compress(tar([('other', b'other')]))
        if name == 'no-archive': data = noise
        if name == 'long': data += bytes(1000000)
        if name == 'short': data = data[:1000]
        if name == 'gone': return self.error(404, 'BLOB_UNKNOWN')
        if name == 'denied': return self.error(403)
        if name == 'endless-403': return self.endless(403)
        if name == 'loop': return self.answer(307, Location=self.path)
        if name == 'to-file': return self.answer(307, Location='file:///etc/passwd')
        if name == 'to-this-host': return self.answer(307, Location=f'http://127.1:{server.server_port}/elsewhere/{which}')
        if name == 'token':
            port = self.headers['Host'].split(':')[1]
            return self.answer(307, Location=f'http://127.0.0.2:{port}/elsewhere/{which}')
        if name == 'expires' and times == 1: return self.error(401, WWW_Authenticate=f'Bearer realm="http://{self.headers["Host"]}/token"')
        if name == 'slow': time.sleep(3)
        if name == 'cut-expires' and times == 2: return self.error(401, WWW_Authenticate=f'Bearer realm="http://{self.headers["Host"]}/token"')
        if name == 'cut-away' and times == 2: return self.answer(307, Location='http://127.0.0.1:1/')
        start = 0
        wanted = self.headers.get('Range')
        if wanted and name != 'cut-whole': start = int(wanted[6:-1])
        fields = {'Content_Length': str(len(data) - start)}
        if start: fields['Content_Range'] = f'bytes {start + (name == "cut-wrong")}-{len(data) - 1}/{len(data)}'
        if name.startswith('cut') and (times < 3 or name == 'cut-ever'):
            self.answer(206 if start else 200, data[start:][:100 if name == 'cut-ever' else 20000], **fields)
            self.close_connection = True
            return
        self.answer(206 if start else 200, data[start:], **fields)

server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
second = http.server.ThreadingHTTPServer(('127.0.0.2', server.server_port), Handler)
threading.Thread(target=second.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
