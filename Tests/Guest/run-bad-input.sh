# Each mistake gets one line that names it and the mend, status 125, and leaves nothing.
#: as root tester
#: timeout 400

refused() {
  expect_refusal "$1" "$NOVM" "${@:2}"
  [[ ! -d $NOVM_ROOT/machines || -z $(ls "$NOVM_ROOT/machines") ]] || fail "something is left of: $*"
}

: >"$TEST/file"
mkdir -m 000 "$TEST/closed"
mkdir "$TEST/no-kernels"

refused "unknown option '--memroy'; did you mean --memory?" run --memroy 512 -- true
refused "unknown option '-x'" run -x -- true
refused "no command 'rum'; did you mean run?" rum -- true
refused 'no command to run' run
refused "missing value for '--cpus" run --cpus
refused "no kernel nope in" run --kernel nope -- true
NOVM_KERNELS=$TEST/no-kernels refused 'novm kernel import' run -- true
NOVM_KERNELS=$TEST/no-kernels refused 'not a Linux kernel' run --kernel "$TEST/file" -- true
refused 'No such file' run --kernel "$TEST/nowhere" -- true
refused "$TEST/nowhere: no such directory" run --read "$TEST/nowhere" -- true
refused "$TEST/no"'\xff: no such directory' run --read "/data=>$TEST/"$'no\xff' -- true
refused "unknown option '--\xff'" run $'--\xff' -- true
refused "$TEST/file: a file; say where" run --read "$TEST/file" -- true
refused "$TEST/file: a file; --write takes a directory" run --write "/data=>$TEST/file" -- true
((EUID == 0)) || refused "$TEST/closed: permission denied" run --read "/data=>$TEST/closed" -- true
((EUID == 0)) || refused "permission denied" run --write /usr -- true
refused "write GUEST=>HOST" run --read 'data=>/srv' -- true
refused "must not contain .." run --read '/a/../b=>/srv' -- true
refused '--memory: 1 MiB is too little' run --memory 1M -- true
refused 'more than this host has' run --memory 100T -- true
refused "--memory: 'plenty' is no amount" run --memory plenty -- true
refused "--cpus: '0' is not possible" run --cpus 0 -- true
refused "--cpus: '-1' is not possible" run --cpus -1 -- true
refused 'may not run on a CPU 1000' run --cpu-affinity 1000 -- true
refused 'CPU 1 is in no node; give it to one with cpus=1' run --cpus 2 --numa 256M,cpus=0 -- true
refused 'there is no vCPU 1 of 1' run --cpu-affinity 1=0 -- true
refused "--cpus: '1000' is not possible" run --cpus 1000 -- true
refused 'is no host name' run --hostname 'a b' -- true
refused 'is not NAME=VALUE' run --env =x -- true
NOVM_ROOT=$TEST/$'no\xff' refused "NOVM_ROOT: '$TEST/no"'\xff'"' is not text" run -- true
NOVM_LIBEXEC=$TEST refused 'novmm' run --kernel cloud -- true
refused 'in the machine: working directory /nonexist' run --kernel cloud --cwd /nonexist -- true
((EUID != 0)) || refused '/proc: belongs to' run --write /proc -- true
refused '/dev/shm: would not be seen' run --kernel cloud --write "/dev/shm=>$TEST" -- true
refused '/proc: would not be seen' run --kernel cloud --volume 'one=>/proc' -- true
refused 'given to --write twice' run --write "/a=>$TEST" --write "/b=>$TEST" -- true
# Without root, owners are recorded in user attributes, which not each file system has (tmpfs since Linux 6.6).
mkdir "/dev/shm/novm-$$"
if ((EUID != 0)) && ! python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.x", b"1")' "/dev/shm/novm-$$" 2>&-; then
  NOVM_INSTANCES=/dev/shm/novm-$$ refused 'set NOVM_ROOT' run --kernel cloud -- true
  refused 'user attributes' run --kernel cloud --write "/dev/shm/novm-$$" -- true
fi
rm -r "/dev/shm/novm-$$"
# What is not an option of a share, or not a volume for two places.
refused 'and no options of a share' run --kernel cloud --share "/x=>$TEST:frob" -- true
refused 'and no options of a share' run --kernel cloud --share "/x=>$TEST,cache=none" -- true
refused 'one is given twice' run --kernel cloud --volume 'one=>/a' --volume 'one=>/b' -- true
# What only novmm can tell: this kernel needs more.
refused '--memory' run --kernel cloud --memory 40M -- true
