#: as tester
#: long
#: timeout 1200
# All examples of libnovm in all languages.
EXAMPLES='jobs try_diff_apply server files_and_terminal'
source Tests/Guest/examples.sh
