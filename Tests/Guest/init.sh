# --init: a debootstrapped Debian whose systemd is PID 1, with the agent beside it, from a tree and from a disk. A boot of
# it takes half a minute in the emulated host, more on a busy one.
#: as root tester
#: timeout 1500
#: long
#: needs debian-tree
tree=$PWD/.build/guest-tests/debian.tar
[[ -s $tree ]] || skip 'there is no Debian tree; see: scripts/debian-tree'
cd "$TEST"
mkdir debian
tar --extract --file "$tree" --directory debian
machine=(--kernel cloud --memory 1G --init --read "$TEST/debian")

# A tree without an init, told as the reason there is no machine.
status=0
"$NOVM" run "${machine[@]}" --cmdline init=/no/such/init -- true 2>errors || status=$?
grep -q "cannot run the tree's init, /no/such/init: No such file or directory" errors || status=0
((status == 125)) || fail "status $status: $(<errors)"

# Up, with all its units, by the name that it was given.
"$NOVM" create --name box --hostname box "${machine[@]}" >/dev/null
expect_output running "$NOVM" exec box -- systemctl is-system-running --wait
expect_output $'/usr/lib/systemd/systemd\nactive\nbox\n0' "$NOVM" exec box -- sh -c '
  readlink /proc/1/exe; systemctl is-active multi-user.target; hostname
  systemctl --failed --quiet --no-legend | wc -l'

# A service of one's own: started, seen in the journal, and stopped by its own command at the end.
cat >job.service <<'END'
[Service]
ExecStart=/bin/sh -c 'echo job is here; exec sleep infinity'
ExecStop=/bin/sh -c 'echo stopped >/stopped'
END
"$NOVM" cp job.service box:/etc/systemd/system/job.service
expect_output active "$NOVM" exec box -- sh -c 'systemctl daemon-reload && systemctl start job && systemctl is-active job'
journal() { "$NOVM" exec box -- journalctl --unit job --output cat | grep -x 'job is here' >/dev/null; }
eventually 30 journal
expect_status 7 "$NOVM" exec box -- sh -c 'exit 7'
"$NOVM" stop --time 200 box
expect_output 'box exited (0)' "$NOVM" ls --all --format '{{.Name}} {{.Status}}'
expect_output 'A /stopped' "$NOVM" diff box /stopped

# Anew, for what it says itself: it powers off when it is told to.
"$NOVM" start box
expect_output stopped "$NOVM" exec box -- cat /stopped
"$NOVM" exec box -- systemctl --no-block poweroff
expect_output 0 "$NOVM" wait box
"$NOVM" rm box

# The same distribution on a disk. Whose files they are it has from the tree, which is right as root alone.
((EUID == 0)) || exit 0
truncate -s 1G disk
mkfs.ext4 -q -d debian disk
"$NOVM" create --name box --hostname box --kernel cloud --memory 1G --init --root-disk disk >/dev/null
expect_output running "$NOVM" exec box -- systemctl is-system-running --wait
expect_output $'ext4\n/usr/lib/systemd/systemd\nbox\n0' "$NOVM" exec box -- sh -c '
  stat --file-system --format %T / | sed s,ext2/ext3,ext4,; readlink /proc/1/exe; hostname
  touch /kept; systemctl --failed --quiet --no-legend | wc -l'
"$NOVM" stop --time 200 box
e2fsck -fn disk >fsck 2>&1 || fail "$(<fsck)"
"$NOVM" start box
expect_output /kept "$NOVM" exec box -- ls /kept
"$NOVM" rm --force box >/dev/null
