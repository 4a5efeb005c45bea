use crate::buffer::{Shared, Update};
use std::sync::Arc;
use vmmc_contract::{Import, Permission, WriteError};

/// A granted window of a [`SimBuffer`](crate::SimBuffer), to be written. A clone is the same import, under the same grant.
#[derive(Clone, Debug)]
pub struct SimImport {
    pub(crate) shared: Arc<Shared>,
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) permission: Permission,
    pub(crate) number: u32,
}

impl SimImport {
    fn place(&self, at: usize, len: usize) -> Result<usize, WriteError> {
        if at > self.len || len > self.len - at {
            return Err(WriteError::OutOfBounds);
        }
        match self.permission {
            Permission::Write => Ok(self.offset + at),
            Permission::ReadOnly => Err(WriteError::ReadOnly),
        }
    }
}

impl Import for SimImport {
    fn len(&self) -> usize {
        self.len
    }

    fn write(&self, at: usize, src: &[u8]) -> Result<(), WriteError> {
        let place = self.place(at, src.len())?;
        self.shared.send(self.number, Update::Bytes(place, src.to_vec()))
    }

    fn store(&self, at: usize, value: u64) -> Result<(), WriteError> {
        if !at.is_multiple_of(8) {
            return Err(WriteError::Misaligned);
        }
        let place = self.place(at, 8)?;
        self.shared.send(self.number, Update::Word(place, value))
    }

    fn read_back(&self, at: usize, dst: &mut [u8]) -> bool {
        let place = self.place(at, dst.len());
        place.is_ok_and(|place| {
            self.shared.read_back(place, dst);
            true
        })
    }

    fn notify(&self) -> Result<(), WriteError> {
        self.shared.send(self.number, Update::Notify)
    }
}
