//! What is promised for Linux, and for Windows programs that Wine runs here.

use crate::model::{Road, Test};
use crate::plan::{LARGE, LARGE_UNDER_WINE, MESSAGE, SMALL};
use crate::report::targets::{Cost, Limit};
use crate::report::{Face, Promises, Ratio, ratio};

/// For programs of Linux, and for those that Wine runs.
pub(crate) const PROMISES: &[Promises] = &[
    Promises { costs: &[FLOOR], ratios: RATIOS, limits: LIMITS },
    Promises { costs: &[WINE_AGAINST_LINUX], ratios: WINE, limits: &[] },
];

/// Where sockets are measured against raw VMMC.
pub(crate) const FACES: &[Face] =
    &[("Linux", Road::Vmmc, Road::Raw, LARGE), ("Wine", Road::WineVmmc, Road::WineRaw, LARGE_UNDER_WINE)];

const FLOOR: Cost = Cost {
    what: "8 B ping-pong, cost against the bare cache line",
    test: Test::PingPong,
    size: SMALL,
    road: Road::Vmmc,
    against: Road::CacheLine,
    at_most: 3.0,
};

const PLAIN_PEER: &[Road] = &[Road::VmmcClient, Road::VmmcServer];

const RATIOS: &[Ratio] = &[
    ratio("8 B ping-pong against kernel TCP, blocking", Test::PingPong, SMALL, Road::Kernel, 100.0),
    ratio("8 B ping-pong against kernel TCP, busy-polled", Test::PingPong, SMALL, Road::KernelBusy, 20.0),
    ratio("8 B ping-pong through epoll_wait against kernel TCP", Test::Epoll, SMALL, Road::Kernel, 50.0),
    ratio("256 KiB stream against kernel TCP", Test::Stream, LARGE, Road::Kernel, 5.0),
    ratio("256 KiB stream against raw VMMC", Test::Stream, LARGE, Road::Raw, 0.8),
    ratio("64 B messages one way against kernel TCP", Test::Rate, MESSAGE, Road::Kernel, 10.0),
    ratio("redis GET against kernel TCP", Test::RedisGet, 0, Road::Kernel, 3.0),
    ratio("redis SET against kernel TCP", Test::RedisSet, 0, Road::Kernel, 3.0),
    ratio("nginx against kernel TCP", Test::Nginx, 0, Road::Kernel, 1.5),
    Ratio {
        roads: &[Road::VmmcAsleep],
        ..ratio("everybody asleep (--spin off), 8 B ping-pong", Test::PingPong, SMALL, Road::Kernel, 0.95)
    },
    Ratio {
        roads: PLAIN_PEER,
        ..ratio("one end not enabled, 8 B ping-pong", Test::PingPong, SMALL, Road::Kernel, 0.97)
    },
    Ratio {
        roads: PLAIN_PEER,
        ..ratio("one end not enabled, 256 KiB stream", Test::Stream, LARGE, Road::Kernel, 0.97)
    },
    ratio("short connections against kernel TCP", Test::Connect, MESSAGE, Road::Kernel, 0.95),
];

const LIMITS: &[Limit] = &[
    Limit { what: "1000 idle connections, processor use", test: Test::IdleCpu, at_most: 0.005 },
    Limit { what: "1000 idle connections, memory of both ends, each", test: Test::IdleMemory, at_most: 32.0 * 1024.0 },
];

const WINE_AGAINST_LINUX: Cost = Cost {
    what: "Wine: 8 B ping-pong, cost against Linux programs",
    test: Test::PingPong,
    size: SMALL,
    road: Road::WineVmmc,
    against: Road::Vmmc,
    at_most: 1.5,
};

const WINE_PLAIN_PEER: &[Road] = &[Road::WineClient, Road::WineServer];

const WINE: &[Ratio] = &[
    Ratio {
        roads: &[Road::WineVmmc],
        ..ratio("Wine: 8 B ping-pong against its own sockets", Test::PingPong, SMALL, Road::Wine, 30.0)
    },
    Ratio {
        roads: &[Road::WineVmmc],
        ..ratio("Wine: 64 KiB stream against its own sockets", Test::Stream, LARGE_UNDER_WINE, Road::Wine, 3.0)
    },
    Ratio {
        roads: WINE_PLAIN_PEER,
        ..ratio("Wine: one end not enabled, 8 B ping-pong", Test::PingPong, SMALL, Road::Wine, 0.95)
    },
    Ratio {
        roads: WINE_PLAIN_PEER,
        ..ratio("Wine: one end not enabled, 64 KiB stream", Test::Stream, LARGE_UNDER_WINE, Road::Wine, 0.95)
    },
];
