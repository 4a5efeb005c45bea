//! The messages, and their bytes. docs/control-protocol.md draws them.
//!
//! Every message has [`SIZE`] bytes: version (u16), kind (u16), then its fields, each a little-endian u64 at a multiple
//! of 8 from byte 8 on, then zeros. A field that is out of its range, or a byte that should be zero and is not, makes
//! the whole message one that does not exist.

use crate::Reason;

/// Version of the messages. It stands in each; `Hello` and `Welcome` keep their shape in every version.
pub const VERSION: u16 = if cfg!(vmmc_next = "protocol") { 2 } else { 1 };
/// Bytes of every message.
pub const SIZE: usize = 96;
/// A message as it travels.
pub type Bytes = [u8; SIZE];

/// What a process asks of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// First message of every connection: the version of the words in a slot that this process's library speaks. With it
    /// may come the bell that the process wants rung for all its links.
    Hello {
        /// [`crate::slot::LAYOUT`].
        layout: u32,
    },
    /// Find the other end of the socket whose duplicate comes with this message. Answers a `Confirm` too.
    Offer {
        /// The process's own name for the socket, unique among its offers.
        token: u64,
    },
    /// Forget this offer.
    Withdraw {
        /// As offered.
        token: u64,
    },
    /// This end reads and writes a slot no more.
    Release {
        /// The link, as the broker named it.
        link: u64,
        /// Number of the slot in its link.
        slot: u32,
        /// Which end of the link is meant.
        side: Side,
        /// The end has not got the slot's chunk: its descriptors shall come again with the chunk's next slot.
        unmapped: bool,
    },
    /// How is the broker?
    Ping,
    /// The process's table of sockets, which comes with this message, may be shown to who asks with `Tables`.
    Table,
    /// Show all tables: one `Table` each, then a `Pong`.
    Tables,
}

/// What the broker says to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// First message of every connection.
    Welcome,
    /// Offer that socket once more, or withdraw it: the other end may have been found.
    Confirm {
        /// As offered.
        token: u64,
    },
    /// The other end was found.
    Paired(Pairing),
    /// The offer is forgotten.
    Refused {
        /// As offered.
        token: u64,
        /// Why.
        reason: Reason,
    },
    /// The other end's process has gone: no slot of this link will be given out any more.
    LinkClosed {
        /// The link.
        link: u64,
    },
    /// Answer to `Ping`, and the end of the answers to `Tables`.
    Pong(Status),
    /// A process's table of sockets comes with this message.
    Table {
        /// The process.
        pid: u32,
    },
}

/// One of the two ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one whose process the broker knew first.
    First = 0,
    /// The other.
    Second = 1,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Where a paired connection's slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// As offered.
    pub token: u64,
    /// The link; its number is never used again, by no later broker either.
    pub link: u64,
    /// Number of the slot in its link.
    pub slot: u32,
    /// Number of the chunk that holds the slot.
    pub chunk: u32,
    /// Which end of the link this process is, for this connection.
    pub side: Side,
    /// Bytes of each ring in the slot.
    pub ring_capacity: usize,
    /// Where the slot starts in the chunk's memory file that this end exports, in bytes.
    pub own_offset: usize,
    /// Where it starts in the one that the other end exports.
    pub peer_offset: usize,
    /// Process of the other end, as the broker's system numbers it; 0 if it cannot be seen from there.
    pub peer_pid: u32,
    /// The chunk's descriptors come with this message.
    pub new_segment: bool,
}

/// How the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The broker's process.
    pub pid: u32,
    /// Processes connected to it, the asking one included.
    pub clients: u32,
    /// Links that can get new slots.
    pub links: u32,
    /// Offers whose other end has not come yet.
    pub pending: u32,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Of another version of the protocol.
    Version,
    /// Of no kind that there is, or with impossible fields.
    Malformed,
}

impl Request {
    /// As it travels.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match *self {
            Self::Hello { layout } => Writer::kind(1).word(layout.into()),
            Self::Offer { token } => Writer::kind(2).word(token),
            Self::Withdraw { token } => Writer::kind(3).word(token),
            Self::Release { link, slot, side, unmapped } => {
                Writer::kind(4).word(link).word(slot.into()).word(side as u64).word(unmapped.into())
            }
            Self::Ping => Writer::kind(5),
            Self::Table => Writer::kind(6),
            Self::Tables => Writer::kind(7),
        }
        .bytes
    }

    /// What `bytes` say.
    ///
    /// # Errors
    /// If they say nothing of this version.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut fields) = Reader::open(bytes)?;
        let request = match kind {
            1 => Self::Hello { layout: fields.number()? },
            2 => Self::Offer { token: fields.word()? },
            3 => Self::Withdraw { token: fields.word()? },
            4 => Self::Release {
                link: fields.word()?,
                slot: fields.number()?,
                side: fields.side()?,
                unmapped: fields.flag()?,
            },
            5 => Self::Ping,
            6 => Self::Table,
            7 => Self::Tables,
            _ => return Err(DecodeError::Malformed),
        };
        fields.end(request)
    }
}

impl Reply {
    /// As it travels.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match *self {
            Self::Welcome => Writer::kind(101),
            Self::Confirm { token } => Writer::kind(102).word(token),
            Self::Paired(p) => Writer::kind(103)
                .word(p.token)
                .word(p.link)
                .word(p.slot.into())
                .word(p.chunk.into())
                .word(p.side as u64)
                .word(p.ring_capacity as u64)
                .word(p.own_offset as u64)
                .word(p.peer_offset as u64)
                .word(p.peer_pid.into())
                .word(p.new_segment.into()),
            Self::Refused { token, reason } => Writer::kind(104).word(token).word(reason.number().into()),
            Self::LinkClosed { link } => Writer::kind(105).word(link),
            Self::Pong(s) => {
                Writer::kind(106).word(s.pid.into()).word(s.clients.into()).word(s.links.into()).word(s.pending.into())
            }
            Self::Table { pid } => Writer::kind(107).word(pid.into()),
        }
        .bytes
    }

    /// What `bytes` say.
    ///
    /// # Errors
    /// If they say nothing of this version.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut fields) = Reader::open(bytes)?;
        let reply = match kind {
            101 => Self::Welcome,
            102 => Self::Confirm { token: fields.word()? },
            103 => Self::Paired(fields.pairing()?),
            104 => Self::Refused { token: fields.word()?, reason: fields.reason()? },
            105 => Self::LinkClosed { link: fields.word()? },
            106 => Self::Pong(Status {
                pid: fields.number()?,
                clients: fields.number()?,
                links: fields.number()?,
                pending: fields.number()?,
            }),
            107 => Self::Table { pid: fields.number()? },
            _ => return Err(DecodeError::Malformed),
        };
        fields.end(reply)
    }
}

/// Fills a message from the front.
struct Writer {
    bytes: Bytes,
    at: usize,
}

impl Writer {
    fn kind(kind: u16) -> Self {
        let mut writer = Self { bytes: [0; SIZE], at: 0 };
        writer.put(&VERSION.to_le_bytes());
        writer.put(&kind.to_le_bytes());
        writer.at = 8;
        writer
    }

    fn word(mut self, value: u64) -> Self {
        self.put(&value.to_le_bytes());
        self
    }

    /// The longest message has ten fields, which fit: the test of every kind's round trip would lose what does not.
    fn put(&mut self, field: &[u8]) {
        let end = self.at + field.len();
        if let Some(place) = self.bytes.get_mut(self.at..end) {
            place.copy_from_slice(field);
        }
        self.at = end;
    }
}

/// Reads a message from the front, and each field only within its range.
struct Reader<'bytes> {
    rest: &'bytes [u8],
}

impl<'bytes> Reader<'bytes> {
    /// The kind, and the fields behind it.
    fn open(bytes: &'bytes Bytes) -> Result<(u16, Self), DecodeError> {
        let &[version0, version1, kind0, kind1, 0, 0, 0, 0, ref rest @ ..] = bytes else {
            return Err(DecodeError::Malformed);
        };
        if u16::from_le_bytes([version0, version1]) != VERSION {
            return Err(DecodeError::Version);
        }
        Ok((u16::from_le_bytes([kind0, kind1]), Self { rest }))
    }

    fn word(&mut self) -> Result<u64, DecodeError> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Malformed)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*field))
    }

    fn number(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.word()?).map_err(|_| DecodeError::Malformed)
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.word()?).map_err(|_| DecodeError::Malformed)
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.word()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Malformed),
        }
    }

    fn side(&mut self) -> Result<Side, DecodeError> {
        Ok(if self.flag()? { Side::Second } else { Side::First })
    }

    fn reason(&mut self) -> Result<Reason, DecodeError> {
        let reason = u8::try_from(self.word()?).map_or(Reason::NONE, Reason::from_number);
        if reason == Reason::NONE { Err(DecodeError::Malformed) } else { Ok(reason) }
    }

    /// A pairing whose places are those that [`crate::slot`] gives to the slot.
    fn pairing(&mut self) -> Result<Pairing, DecodeError> {
        let pairing = Pairing {
            token: self.word()?,
            link: self.word()?,
            slot: self.number()?,
            chunk: self.number()?,
            side: self.side()?,
            ring_capacity: self.length()?,
            own_offset: self.length()?,
            peer_offset: self.length()?,
            peer_pid: self.number()?,
            new_segment: self.flag()?,
        };
        let chunk = crate::slot::Chunk::of(pairing.slot).ok_or(DecodeError::Malformed)?;
        let offset = chunk.offset(pairing.slot);
        let placed = (pairing.chunk, pairing.ring_capacity) == (chunk.number, chunk.capacity);
        if placed && (pairing.own_offset, pairing.peer_offset) == (offset, offset) {
            Ok(pairing)
        } else {
            Err(DecodeError::Malformed)
        }
    }

    /// The message, if nothing but zeros follows its fields.
    fn end<M>(self, message: M) -> Result<M, DecodeError> {
        if self.rest.iter().all(|byte| *byte == 0) { Ok(message) } else { Err(DecodeError::Malformed) }
    }
}

#[cfg(test)]
mod tests;
