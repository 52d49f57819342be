"""A client of `novm mcp`: mcp.py NOVM KERNEL DIRECTORY. Needs KVM."""

import json
import subprocess
import sys


def main(novm: str, kernel: str, directory: str) -> None:
    server = subprocess.Popen(
        [novm, "mcp", "--kernel", kernel, "--memory", "256M", "--read", "/", "--read", f"/work=>{directory}/work",
         "--machines", "1", "--apply"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    notes = []

    def send(message):
        server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        server.stdin.flush()

    def answer(id):
        while True:
            message = json.loads(server.stdout.readline())
            if message.get("id") == id and "method" not in message:
                return message
            notes.append(message)

    def ask(id, method, **parameters):
        send({"id": id, "method": method, "params": parameters})
        return answer(id)

    def call(id, name, **arguments):
        result = ask(id, "tools/call", name=name, arguments=arguments)["result"]
        return result["content"][0]["text"], result["isError"]

    server.stdin.write(b"{ nonsense\n")
    server.stdin.flush()
    assert json.loads(server.stdout.readline())["error"]["code"] == -32700
    begun = ask(1, "initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={"name": "test"})["result"]
    assert begun["protocolVersion"] == "2025-03-26" and "tools" in begun["capabilities"], begun
    send({"method": "notifications/initialized"})
    assert ask("two", "ping")["result"] == {}
    for wrong in (True, [1], {"a": 1}):
        send({"id": wrong, "method": "ping"})
        message = json.loads(server.stdout.readline())
        assert message["id"] is None and message["error"]["code"] == -32600, message
    assert ask(2.5, "ping")["result"] == {}
    assert ask(30, "tools/call", name="machine_list", _meta={"progressToken": []})["error"]["code"] == -32600
    assert ask(3, "nosuch")["error"]["code"] == -32601
    tools = {tool["name"] for tool in ask(4, "tools/list")["result"]["tools"]}
    assert {"machine_start", "command_run", "file_read", "file_write", "changes_list", "changes_apply"} <= tools, tools
    assert ask(5, "tools/call", name="nosuch")["error"]["code"] == -32602
    assert call(6, "command_run", machine="nosuch", command="true")[1]

    machine, failed = call(7, "machine_start")
    assert not failed, machine
    text, failed = call(8, "machine_start")
    assert failed and "machine_remove" in text, text
    text, failed = call(9, "command_run", machine=machine, command=["sh", "-c", "cat; echo $NAME; exit 3"], input="in\n",
                        environment={"NAME": "value"})
    assert failed and text.startswith("in\nvalue\n") and "exit status 3" in text, text
    for arguments in ({"command": ["echo", 1]}, {"command": 1}, {"command": "true", "environment": {"A": 1}},
                      {"command": "true", "timeout": "long"}):
        text, failed = call(90, "command_run", machine=machine, **arguments)
        assert failed and ":" in text and "exit status" not in text, text
    # Not all of it.
    assert call(91, "changes_apply", machine=machine, paths=[1])[1]
    assert call(10, "file_write", machine=machine, path="/work/note", content="new\n") == ("4 bytes are in /work/note", False)
    assert call(11, "file_read", machine=machine, path="/work/note") == ("new\n", False)

    # A long command tells how far it is, and can be cancelled; others go on meanwhile.
    send({"id": 12, "method": "tools/call", "params": {
        "name": "command_run", "arguments": {"machine": machine, "command": "echo begun; sleep 1000"},
        "_meta": {"progressToken": "token"}}})
    while not any(note.get("method") == "notifications/progress" for note in notes):
        notes.append(json.loads(server.stdout.readline()))
    assert notes[-1]["params"]["progressToken"] == "token" and notes[-1]["params"]["message"] == "begun", notes[-1]
    assert call(13, "command_run", machine=machine, command="echo meanwhile")[0].startswith("meanwhile")
    send({"method": "notifications/cancelled", "params": {"requestId": 12}})
    assert call(14, "command_run", machine=machine, command="sleep 3; pgrep -x sleep || echo none")[0].startswith("none")
    assert not any(note.get("id") == 12 for note in notes)

    assert call(15, "changes_apply", machine=machine, paths=["/work"]) == ("applied:\nA /work/note", False)
    with open(f"{directory}/work/note") as note:
        assert note.read() == "new\n"
    assert call(16, "machine_remove", machine=machine)[1] is False
    machine, failed = call(17, "machine_start")
    assert not failed, machine
    server.stdin.close()
    assert server.wait(60) == 0


main(*sys.argv[1:])
