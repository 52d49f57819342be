#: timeout 300
# `novm mcp`, by a client (Tests/Library/mcp.py).
mkdir "$TEST/work"
/usr/bin/python3 Tests/Library/mcp.py "$NOVM" "$KERNEL" "$TEST" || fail 'mcp.py'
expect_output '' "$NOVM" ls --all --quiet
# What is wrong with the options is told before a client is served.
expect_refusal '/nowhere' "$NOVM" mcp --read /nowhere

# One that is killed leaves no machine that runs.
mkfifo "$TEST/input" "$TEST/output"
"$NOVM" mcp --kernel "$KERNEL" <"$TEST/input" >"$TEST/output" &
server=$!
exec 3>"$TEST/input" 4<"$TEST/output"
echo '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"machine_start","arguments":{}}}' >&3
read -r -t 60 answer <&4
[[ $answer == *'"isError":false'* ]] || fail "$answer"
kill -9 "$server"
gone() { ! pgrep -x novmm; }
eventually 30 gone
expect_output '' "$NOVM" ls --quiet
