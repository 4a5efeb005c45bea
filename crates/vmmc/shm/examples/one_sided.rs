//! Two processes: one exports a buffer and sleeps, the other imports it, writes into it and notifies.
//!
//! `cargo run -p vmmc-shm --example one_sided`
//!
//! The receiver starts its own program again as the sender, which inherits the grant's two descriptors and is told their
//! numbers. Any other way to pass descriptors (`SCM_RIGHTS`) does as well.
use std::env;
use std::error::Error;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, ExitStatus};
use std::time::Duration;
use vmmc_contract::{Export, Import, Permission, WriteError};
use vmmc_os::kernel;
use vmmc_shm::{ExportedBuffer, Grant, GrantedImport};

const BUFFER_BYTES: usize = 1 << 20;
/// Where the sender says how many bytes stand in the buffer.
const LENGTH_AT: usize = 0;
/// Where the bytes begin.
const DATA_AT: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => receive(),
        [memory, bell, number] => send(memory.parse()?, bell.parse()?, number.parse()?),
        _ => Err("this example takes no arguments".into()),
    }
}

fn receive() -> Result<(), Box<dyn Error>> {
    let buffer = ExportedBuffer::create(BUFFER_BYTES, 0)?;
    let grant = buffer.grant(Permission::Write)?;
    let number = grant.number;
    let mut sender = Command::new(env::current_exe()?)
        .args([inherited(grant.memory.as_raw_fd())?, inherited(grant.bell.as_raw_fd())?, number.to_string()])
        .spawn()?;

    if !buffer.wait_notification(Some(Duration::from_secs(10)))? {
        return Err("nobody has written".into());
    }
    // The length is whatever the sender wrote; `read` refuses one that does not fit.
    let length = usize::try_from(buffer.load(LENGTH_AT))?.min(BUFFER_BYTES);
    let mut text = vec![0; length];
    if !buffer.read(DATA_AT, &mut text) {
        return Err("the sender lies about the length".into());
    }
    println!("receiver: {} bytes, among them: {}", length, String::from_utf8_lossy(&text[..41.min(length)]));

    buffer.revoke(number);
    println!("receiver: the grant is taken back");
    let status: ExitStatus = sender.wait()?;
    if status.success() { Ok(()) } else { Err("the sender failed".into()) }
}

/// Lets a child inherit the descriptor: its number, for the command line.
fn inherited(fd: i32) -> Result<String, Box<dyn Error>> {
    kernel::fcntl(fd, vmmc_os::abi::F_SETFD, 0)?;
    Ok(fd.to_string())
}

fn send(memory: i32, bell: i32, number: u32) -> Result<(), Box<dyn Error>> {
    // SAFETY: the receiver left the two descriptors open for this process, where nobody else knows them.
    let (memory, bell) = unsafe { (OwnedFd::from_raw_fd(memory), OwnedFd::from_raw_fd(bell)) };
    let import = GrantedImport::accept(Grant::from_parts(memory, bell, number))?;

    let text = "written by one process, read by the other. ".repeat(10_000);
    import.write(DATA_AT, text.as_bytes())?;
    import.store(LENGTH_AT, text.len() as u64)?;
    import.notify()?;
    println!("sender: {} bytes written and the receiver notified", text.len());

    // Until the receiver has had enough.
    let mut more = 0u64;
    while import.store(LENGTH_AT + 8, more) != Err(WriteError::Revoked) {
        more += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("sender: refused from the receiver's revocation on");
    Ok(())
}
