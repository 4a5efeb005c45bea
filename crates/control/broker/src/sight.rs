//! What the system says about a socket whose duplicate the broker holds for a moment.

use std::net::{IpAddr, Ipv6Addr};
use vmmc_os::endpoint::{Address, Endpoint, Socket, Unfit};
use vmmc_protocol::Reason;

/// What tells a connection's end from every other on this host, as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    network: u64,
    local: Address,
    remote: Address,
}

impl Key {
    /// The end's own address and port; IPv4 as such.
    pub(crate) fn own(&self) -> (IpAddr, u16) {
        (Ipv6Addr::from(self.local.ip).to_canonical(), self.local.port)
    }

    /// The key that the other end has.
    pub(crate) fn mirror(self) -> Self {
        Self { network: self.network, local: self.remote, remote: self.local }
    }
}

/// An established TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) key: Key,
    /// The socket's own cookie, as far as the system tells sockets of one address apart.
    pub(crate) cookie: u64,
}

impl Sight {
    /// Looks at a socket.
    ///
    /// # Errors
    /// Why it cannot be paired: it is no TCP socket, it is not established, or the system is too old to say.
    pub(crate) fn of(socket: &Socket) -> Result<Self, Reason> {
        let Endpoint { network, cookie, local, remote } = socket.look().map_err(|unfit| match unfit {
            Unfit::NotTcp => Reason::NOT_STREAM,
            Unfit::NotEstablished => Reason::NOT_ESTABLISHED,
            Unfit::OldSystem => Reason::OLD_KERNEL,
        })?;
        Ok(Self { key: Key { network, local, remote }, cookie })
    }
}
