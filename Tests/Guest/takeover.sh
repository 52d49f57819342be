# A monitor that its guest has taken over: what each kind of its threads can do, by SECURITY.md's table.
#: outside
#: timeout 1200
#: long
swift build --product takeover --quiet
program=$(swift build --show-bin-path)/takeover
scripts/kernel-store .build/guest-tests/kernels cloud
kernels=$(scripts/kvm-host place .build/guest-tests/kernels)
for user in root tester; do
  scripts/kvm-host run --user "$user" python3 Tests/takeover/attempts.py "$program" "$kernels/cloud" || fail "as $user"
done
