//! Shared memory keeps the contract: windows over two mappings of one segment, and granted buffers.
use std::time::Duration;
use vmmc_conformance::{Provider, Windows, buffer_tests, window_tests};
use vmmc_contract::{Import, Permission, WriteError};
use vmmc_shm::{ExportedBuffer, GrantedImport, Segment, ShmExport, ShmImport};

/// Each segment is mapped twice, as two processes would.
struct Mapped;

impl Windows for Mapped {
    type Export = ShmExport;
    type Import = ShmImport;

    fn pair(len: usize) -> (ShmExport, ShmImport) {
        let (mine, fd) = Segment::create(len + 64).unwrap();
        let theirs = Segment::map(fd).unwrap();
        vmmc_os::kernel::close(fd).unwrap();
        assert_ne!(mine.addr(), theirs.addr());
        (mine.export(64, len).unwrap(), theirs.import(64, len).unwrap())
    }
}

struct Granted(ExportedBuffer);

/// An import and what its exporter calls it.
struct Numbered(GrantedImport, u32);

impl Import for Numbered {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn write(&self, at: usize, src: &[u8]) -> Result<(), WriteError> {
        self.0.write(at, src)
    }
    fn store(&self, at: usize, value: u64) -> Result<(), WriteError> {
        self.0.store(at, value)
    }
    fn read_back(&self, at: usize, dst: &mut [u8]) -> bool {
        self.0.read_back(at, dst)
    }
    fn notify(&self) -> Result<(), WriteError> {
        self.0.notify()
    }
}

impl Provider for Granted {
    type Export = ExportedBuffer;
    type Import = Numbered;

    fn create(len: usize, destination: usize) -> Self {
        Self(ExportedBuffer::create(len, destination).unwrap())
    }

    fn export(&self) -> &ExportedBuffer {
        &self.0
    }

    fn import(&self, permission: Permission) -> Numbered {
        let grant = self.0.grant(permission).unwrap();
        let number = grant.number;
        Numbered(GrantedImport::accept(grant).unwrap(), number)
    }

    fn revoke(&self, import: &Numbered) {
        assert!(self.0.revoke(import.1));
    }

    fn notified(&self, timeout: Duration) -> bool {
        self.0.wait_notification(Some(timeout)).unwrap()
    }

    fn arrived(&self, at: usize, len: usize) {
        self.0.arrived(at, len);
    }

    fn destination(&self, at: usize, dst: &mut [u8]) {
        self.0.with_destination(|bytes| dst.copy_from_slice(&bytes[at..at + dst.len()]));
    }
}

window_tests!(Mapped);
buffer_tests!(Granted);
