//! The chunks of links that this process has mapped: made when the broker sends one, taken away when the peer's process has
//! gone and no connection here has been using the link for a while.
use crate::bereaved::Bereaved;
use crate::{pairing, table};
use vmmc_os::kernel;
use vmmc_protocol::client::NewSegment;
use vmmc_shm::Segment;

/// So many sweeps in a row must find a closed link unused. A thread may have looked a connection up just before it was
/// closed; sweeps are a second apart and this process runs in between, so by then it has found out.
const SWEEPS_UNUSED: u32 = 5;

/// Maps a chunk's memory, what is exported and what is imported, or nothing.
pub(crate) fn map(new: &NewSegment) -> Option<(Segment, Segment)> {
    match (Segment::map(new.export.number()), Segment::map(new.import.number())) {
        (Ok(export), Ok(import)) => Some((export, import)),
        (one, other) => {
            // SAFETY: just mapped, and nobody has a window of it.
            [one, other].into_iter().flatten().for_each(|alone| unsafe { alone.unmap() });
            None
        }
    }
}

/// One chunk of a link.
pub(crate) struct Chunk {
    link: u64,
    second: bool,
    number: u32,
    pub(crate) export: Segment,
    pub(crate) import: Segment,
    /// The link's bells, the same in each of its chunks.
    pub(crate) own_bell: i32,
    pub(crate) peer_bell: i32,
    /// No new slot of the link will come.
    closed: bool,
    sweeps_unused: u32,
}

/// All of them.
pub(crate) struct Chunks {
    all: Vec<Chunk>,
    /// The links of which the broker has said that they are closed.
    pub(crate) bereaved: Bereaved,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { all: Vec::new(), bereaved: Bereaved::new() }
    }

    pub(crate) fn find(&self, link: u64, second: bool, number: u32) -> Option<&Chunk> {
        self.all.iter().find(|chunk| chunk.link == link && chunk.second == second && chunk.number == number)
    }

    /// The bells of a link that is known already: this end's and the peer's.
    pub(crate) fn bells(&self, link: u64, second: bool) -> Option<(i32, i32)> {
        let known = self.all.iter().find(|chunk| chunk.link == link && chunk.second == second)?;
        Some((known.own_bell, known.peer_bell))
    }

    pub(crate) fn add(&mut self, link: u64, second: bool, number: u32, memory: (Segment, Segment), bells: (i32, i32)) {
        let ((export, import), (own_bell, peer_bell)) = (memory, bells);
        let (closed, sweeps_unused) = (false, 0);
        self.all.push(Chunk { link, second, number, export, import, own_bell, peer_bell, closed, sweeps_unused });
    }

    /// The broker says that a link is closed; `None`: it is gone itself, and with it all of them.
    pub(crate) fn close(&mut self, link: Option<u64>) {
        self.all
            .iter_mut()
            .filter(|chunk| link.is_none_or(|link| chunk.link == link))
            .for_each(|chunk| chunk.closed = true);
        if let Some(link) = link {
            self.bereaved.add(link);
        }
    }

    pub(crate) fn any_closed(&self) -> bool {
        self.all.iter().any(|chunk| chunk.closed)
    }

    /// Once a second while there are closed ones: unmaps those that have not been used for a while.
    pub(crate) fn sweep(&mut self) {
        let mut used = Vec::new();
        pairing::each_paired(|connection, _| used.push(connection.link.load(vmmc_sync::Ordering::Relaxed)));
        for chunk in self.all.iter_mut().filter(|chunk| chunk.closed) {
            chunk.sweeps_unused = if used.contains(&chunk.link) { 0 } else { chunk.sweeps_unused + 1 };
        }
        while let Some(at) = self.all.iter().position(|chunk| chunk.sweeps_unused >= SWEEPS_UNUSED) {
            let chunk = self.all.swap_remove(at);
            // SAFETY: no connection has referred to these windows for seconds in which this process ran, so no call that
            // looked one up before is still under way; this was the only other record of them.
            unsafe {
                chunk.export.unmap();
                chunk.import.unmap();
            }
            if self.bells(chunk.link, chunk.second).is_none() {
                for bell in [chunk.own_bell, chunk.peer_bell] {
                    table::clear(bell);
                    let _ = kernel::close(bell);
                }
            }
        }
    }
}
