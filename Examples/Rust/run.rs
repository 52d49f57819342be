//! Runs a command in a machine over this host's files, which it cannot change.

fn main() -> Result<(), novm::Error> {
    let description = novm::Description::new()?.set("memory", "256M")?.set("rm", "true")?;
    let machine = novm::Store::open()?.create(description)?;
    machine.start(None)?;
    let done = machine.run(["uname", "-r"])?;
    print!("{}", String::from_utf8_lossy(&done.stdout));
    machine.stop(std::time::Duration::ZERO)
}
