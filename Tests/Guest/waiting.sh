# noguest that waits for a beginning, with no novm: a machine is saved there, and two begin with its state that are two machines.
#: as root
#: also root/pci
#: timeout 400
command -v python3 >/dev/null || skip 'python3 is not installed'
python3 -u Tests/state/waiting.py "$NOVM_LIBEXEC" "$NOVM_KERNELS/$KERNEL" "$TEST" "$TRANSPORT"
