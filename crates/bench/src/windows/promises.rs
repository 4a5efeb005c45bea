//! What is promised for Windows programs.

use crate::model::{Road, Test};
use crate::plan::{LARGE, SMALL};
use crate::report::{Face, Promises, Ratio, ratio};

/// For the programs of this system.
pub(crate) const PROMISES: &[Promises] = &[Promises { costs: &[], ratios: RATIOS, limits: &[] }];

/// Where sockets are measured against raw VMMC.
pub(crate) const FACES: &[Face] = &[("Windows", Road::Vmmc, Road::Raw, LARGE)];

const PLAIN_PEER: &[Road] = &[Road::VmmcClient, Road::VmmcServer];

const RATIOS: &[Ratio] = &[
    ratio("8 B ping-pong against kernel TCP", Test::PingPong, SMALL, Road::Kernel, 30.0),
    ratio("64 KiB stream against kernel TCP", Test::Stream, LARGE, Road::Kernel, 3.0),
    Ratio {
        roads: PLAIN_PEER,
        ..ratio("one end not enabled, 8 B ping-pong", Test::PingPong, SMALL, Road::Kernel, 0.95)
    },
    Ratio { roads: PLAIN_PEER, ..ratio("one end not enabled, 64 KiB stream", Test::Stream, LARGE, Road::Kernel, 0.95) },
];
