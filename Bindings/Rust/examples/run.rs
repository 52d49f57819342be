//! Runs a command in a machine over this host's files, which it cannot change: run [KERNEL].

fn main() -> Result<(), novm::Error> {
    let store = novm::Store::open()?;
    let mut description = novm::Description::new()?.set("memory", "256M")?.set("rm", "true")?;
    if let Some(kernel) = std::env::args().nth(1) {
        description = description.set("kernel", &kernel)?;
    }
    let machine = store.create(description)?;
    machine.start(None)?;
    let done = machine.run(&["uname", "-r"])?;
    print!("{}", String::from_utf8_lossy(&done.stdout));
    machine.stop(std::time::Duration::ZERO)
}
