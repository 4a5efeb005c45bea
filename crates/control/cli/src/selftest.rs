//! One end of the self test that `vmmc doctor` runs: a plain program with plain sockets, which knows nothing of VMMC.

use crate::failure::Failure;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A message of the ping-pong.
type Message = [u8; 8];
/// The test ends by itself after so long, whatever happens.
const LIFETIME: Duration = Duration::from_secs(60);

/// One end of the self test
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    role: Role,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Role {
    /// Accept one connection on a port of the system's choice, print the port, send back what comes
    Listen,
    /// Connect and exchange numbered messages until the standard input ends; print how many
    Connect {
        /// The listener's port
        port: u16,
    },
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    std::thread::spawn(|| {
        std::thread::sleep(LIFETIME);
        std::process::exit(1);
    });
    match options.role {
        Role::Listen => listen()?,
        Role::Connect { port } => connect(port)?,
    }
    Ok(0)
}

fn listen() -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let (mut connection, _) = listener.accept()?;
    let mut message = Message::default();
    loop {
        match connection.read_exact(&mut message) {
            Ok(()) => connection.write_all(&message)?,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn connect(port: u16) -> std::io::Result<()> {
    static ENDED: AtomicBool = AtomicBool::new(false);
    std::thread::spawn(|| {
        // An error ends the test as well.
        let _ = std::io::stdin().read(&mut [0]);
        ENDED.store(true, Ordering::Relaxed);
    });
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_nodelay(true)?;
    let mut trips = 0_u64;
    while !ENDED.load(Ordering::Relaxed) {
        let sent = trips.to_le_bytes();
        let mut received = Message::default();
        connection.write_all(&sent)?;
        connection.read_exact(&mut received)?;
        if sent != received {
            return Err(std::io::Error::other(format!("message {trips} came back changed")));
        }
        trips += 1;
    }
    writeln!(std::io::stdout(), "{trips}")
}
