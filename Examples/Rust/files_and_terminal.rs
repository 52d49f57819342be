//! Puts a file into a machine, runs a command on a terminal of its own, and reads what that made.

fn main() -> Result<(), novm::Error> {
    let description = novm::Description::new()?.set("memory", "256M")?.set("rm", "true")?;
    let machine = novm::Store::open()?.create(description)?;
    machine.start(None)?;
    machine.write("/tmp/in", b"from the host\n", 0o644, None)?;
    let command = novm::Command::new(&["sh", "-c", "stty size; tr a-z A-Z </tmp/in >/tmp/out"]);
    let done = machine.run(command.terminal(30, 100))?;
    // A terminal ends lines with a carriage return, too.
    print!("{}", String::from_utf8_lossy(&done.stdout).replace("\r\n", "\n"));
    print!("{}", String::from_utf8_lossy(&machine.read("/tmp/out", 4096, None)?));
    machine.stop(std::time::Duration::ZERO)
}
