//! Counts the lines of each file of a directory, on machines that share the work: jobs DIRECTORY [MACHINES].

use std::error::Error;
use std::fs;
use std::sync::Mutex;
use std::thread;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let words: Vec<String> = std::env::args().collect();
    let directory = fs::canonicalize(words.get(1).ok_or("usage: jobs DIRECTORY [MACHINES]")?)?;
    let count: usize = words.get(2).map_or(Ok(4), |count| count.parse())?;
    let tree = format!("/work=>{}", directory.display());
    let entries = fs::read_dir(&directory)?.collect::<Result<Vec<_>, _>>()?;
    let names: Vec<_> =
        entries.iter().filter(|entry| entry.path().is_file()).map(|entry| entry.file_name()).collect();
    let next = Mutex::new(names.iter());
    let description = novm::Description::new()?.set("memory", "256M")?.set("read", &tree)?;
    let pool = novm::Store::open()?.pool(description, count.try_into()?)?;

    // Job after job, each on a machine that is free.
    let work = || -> Result<u64, Box<dyn Error + Send + Sync>> {
        let mut lines = 0;
        loop {
            let Some(name) = next.lock().unwrap().next() else { return Ok(lines) };
            let machine = pool.take(None)?;
            let done = machine.run(["wc", "-l", &format!("/work/{}", name.to_string_lossy())])?;
            let output = String::from_utf8(done.stdout)?;
            lines += output.split(' ').next().unwrap_or_default().parse::<u64>()?;
            pool.give(machine, true)?;
        }
    };
    let lines = thread::scope(|scope| {
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum::<Result<u64, _>>()
    })?;
    println!("{} files, {lines} lines", names.len());
    Ok(())
}
