# Memory of huge pages that are set aside, and memory that is there from the start.
#: as root
#: timeout 600
run() { timeout 280 "$NOVM" run --kernel cloud "$@"; }
pages=/sys/kernel/mm/hugepages/hugepages-2048kB
before=$(<$pages/nr_hugepages)
trap 'echo "$before" >$pages/nr_hugepages' EXIT
# kibibytes MACHINE NAME: of its monitor's memory (proc_pid_smaps(5)).
kibibytes() {
  local monitor
  monitor=$("$NOVM" inspect "$1" | sed -n 's/.*"monitor" : \([0-9]*\).*/\1/p')
  awk -v name="$2:" '$1 == name { print $2 }' "/proc/$monitor/smaps_rollup"
}

# What cannot be had is said before the guest starts.
echo 0 >$pages/nr_hugepages
expect_refusal '64 huge pages are needed, and 0 of this host' run --memory 128 --huge-pages hugetlbfs -- true
expect_refusal 'give --memory a multiple of 2' run --memory 129 --huge-pages hugetlbfs -- true

echo 80 >$pages/nr_hugepages
(($(<$pages/nr_hugepages) == 80)) || skip 'this host has no 160 MiB in one piece each'
expect_refusal 'give --memory 160 or less' run --memory 256 --huge-pages hugetlbfs -- true
expect_output 'HugePages hold' run --memory 128 --huge-pages hugetlbfs -- sh -c '
  head -c 40000000 /dev/zero >/dev/shm/fill && rm /dev/shm/fill && echo HugePages hold'
id=$(run --detach --memory 128 --huge-pages hugetlbfs -- sleep 1000)
(($(kibibytes "$id" Private_Hugetlb) >= 2048)) || fail 'no page of those that were set aside is used'
# All of them are promised, though few are used.
expect_refusal '64 huge pages are needed, and 16 of this host' run --memory 128 --huge-pages hugetlbfs -- true
"$NOVM" rm --force "$id" >/dev/null
(($(<$pages/free_hugepages) == 80)) || fail 'a page is not given back'

for prefault in '' --prefault; do
  # shellcheck disable=SC2086
  id=$(run --detach --memory 256 $prefault -- sleep 1000)
  resident=$(kibibytes "$id" Rss)
  if [[ -n $prefault ]]; then
    ((resident >= 256 << 10)) || fail "$resident KiB are there with --prefault"
  else
    ((resident < 230 << 10)) || fail "$resident KiB are there from the start"
  fi
  "$NOVM" rm --force "$id" >/dev/null
done
id=$(run --detach --memory 256 --huge-pages off -- sleep 1000)
# The guest has touched more than 40 MiB; what novmm has besides is small.
huge=$(kibibytes "$id" AnonHugePages)
((huge < 8192)) || fail "$huge KiB of huge pages are there where none are wanted"
"$NOVM" rm --force "$id" >/dev/null
