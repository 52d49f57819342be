"""A web server in a machine, and a client of its here: server.py PORT."""

import http.client
import subprocess
import sys

import novm

port = int(sys.argv[1])
with novm.Machine(memory="256M", publish=f"127.0.0.1:{port}:80") as machine:
    server = ["python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "80"]
    with machine.start_command(server, cwd="/usr/share", stdout=subprocess.PIPE) as process:
        # It says when it serves.
        assert process.stdout and process.stdout.readline(), process.errors()
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.request("GET", "/")
        answer = client.getresponse()
        print(f"HTTP/{answer.version / 10} {answer.status} {answer.reason}")
