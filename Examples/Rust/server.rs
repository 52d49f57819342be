//! A web server in a machine, and a client of its here: server PORT.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: server PORT")?.parse()?;
    let description = novm::Description::new()?
        .set("memory", "256M")?
        .set("rm", "true")?
        .set("publish", &format!("127.0.0.1:{port}:80"))?;
    let machine = novm::Store::open()?.create(description)?;
    machine.start(None)?;

    let (output, theirs) = UnixStream::pair()?;
    let server = novm::Command::new(&["python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "80"]);
    let _server = machine.spawn(server.directory("/usr/share").output(theirs))?;
    // It says when it serves.
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;

    let mut client = TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    line.clear();
    BufReader::new(client).read_line(&mut line)?;
    println!("{}", line.trim_end());
    Ok(machine.stop(Duration::ZERO)?)
}
