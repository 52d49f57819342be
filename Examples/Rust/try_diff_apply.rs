//! Lets a command change a directory, shows what it changed, and brings it back: try_diff_apply DIRECTORY.

use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::fs::canonicalize(std::env::args().nth(1).ok_or("usage: try_diff_apply DIRECTORY")?)?;
    let tree = format!("/work=>{}", directory.display());
    let description = novm::Description::new()?.set("memory", "256M")?.set("read", &tree)?;
    let machine = novm::Store::open()?.create(description)?;
    let tried = attempt(&machine);
    machine.kill()?;
    machine.remove()?;
    Ok(tried?)
}

fn attempt(machine: &novm::Machine) -> Result<(), novm::Error> {
    machine.start(None)?;
    machine.run(["sh", "-c", "echo changed > /work/note"])?;
    machine.stop(Duration::from_secs(10))?;
    let changes = machine.changes(&["/work"])?;
    for change in &changes.list {
        println!("{} {}", change.kind, change.path.display());
    }
    changes.apply(false)
}
