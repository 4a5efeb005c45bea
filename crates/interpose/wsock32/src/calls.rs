//! The first door: what the exports of `wsock32.dll` that we answer lead to. `generated/stubs.rs` names them here.

pub(crate) use crate::data::{WSARecvEx, recv, recvfrom, send, sendto};
pub(crate) use crate::extensions::TransmitFile;
pub(crate) use crate::lifecycle::{accept, closesocket, connect, listen, shutdown, socket};
pub(crate) use crate::notices::WSAAsyncSelect;
pub(crate) use crate::options::first::{getsockopt, setsockopt};
pub(crate) use crate::options::ioctlsocket;
pub(crate) use crate::process::{WSACleanup, WSAStartup};
pub(crate) use crate::wait::select;
