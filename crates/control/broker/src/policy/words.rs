//! What stands in a rule: users, programs, ports, networks, each refused with a sentence if it is none.

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Which users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Users {
    /// All, also those who cannot be told from each other.
    Any,
    These(Vec<u32>),
}

/// A program's absolute path.
#[derive(Clone, Debug)]
pub(super) struct Program(pub(super) PathBuf);

/// Ports from one to another.
#[derive(Clone, Debug)]
pub(super) struct Ports(RangeInclusive<u16>);

/// Addresses whose first bits are given.
#[derive(Clone, Debug)]
pub(super) struct Network {
    first: IpAddr,
    bits: u32,
}

impl Ports {
    pub(super) fn contain(&self, port: u16) -> bool {
        self.0.contains(&port)
    }
}

impl Network {
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let (first, first_len) = bits(self.first);
        let (address, len) = bits(address);
        let beyond = len - self.bits.min(len);
        first_len == len && first.checked_shr(beyond) == address.checked_shr(beyond)
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Users;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"any\", or a list of names and numbers of users")
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<Users, E> {
                if word == "any" {
                    Ok(Users::Any)
                } else {
                    Err(E::custom("users are \"any\" or a list: [\"www-data\", 1001]"))
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Users, A::Error> {
                let mut users = Vec::new();
                while let Some(User(user)) = list.next_element()? {
                    users.push(user);
                }
                Ok(Users::These(users))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

struct User(u32);

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let unknown =
            |name: &str| format!("there is no user \"{name}\" in /etc/passwd (a number is always understood)");
        one_of(
            deserializer,
            "a user's name or number",
            |name| number_of(name).ok_or_else(|| unknown(name)),
            |number| u32::try_from(number).map_err(|_| format!("{number} is no user's number")),
        )
        .map(Self)
    }
}

impl<'de> Deserialize<'de> for Program {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = PathBuf::deserialize(deserializer)?;
        let is_absolute = path.as_os_str().as_encoded_bytes().starts_with(b"/");
        if is_absolute { Ok(Self(path)) } else { Err(D::Error::custom("a program is named by its absolute path")) }
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong =
            |what: &dyn fmt::Display| format!("{what} is neither a port nor a range of ports like \"8000-8099\"");
        let range = |text: &str| {
            let (first, last) = text.split_once('-')?;
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last).then_some(first..=last)
        };
        one_of(
            deserializer,
            "a port or a range of ports",
            |text| range(text).ok_or_else(|| wrong(&text)),
            |number| u16::try_from(number).map(|port| port..=port).map_err(|_| wrong(&number)),
        )
        .map(Self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (address, prefix) = text.split_once('/').map_or((text.as_str(), None), |(a, prefix)| (a, Some(prefix)));
        let network = address.parse::<IpAddr>().ok().and_then(|first| {
            let most = self::bits(first).1;
            let bits = prefix.map_or(Some(most), |prefix| prefix.parse().ok())?;
            (bits <= most).then_some(Self { first, bits })
        });
        network.ok_or_else(|| {
            D::Error::custom(format!("\"{text}\" is neither an address nor a network like \"10.0.0.0/8\""))
        })
    }
}

/// A value that is written as a text or as a number.
fn one_of<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    what: &'static str,
    of_text: impl FnOnce(&str) -> Result<T, String>,
    of_number: impl FnOnce(i64) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Reader<S, N> {
        what: &'static str,
        of_text: S,
        of_number: N,
    }
    impl<T, S, N> Visitor<'_> for Reader<S, N>
    where
        S: FnOnce(&str) -> Result<T, String>,
        N: FnOnce(i64) -> Result<T, String>,
    {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.what)
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.of_text)(text).map_err(E::custom)
        }
        fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
            (self.of_number)(number).map_err(E::custom)
        }
    }
    deserializer.deserialize_any(Reader { what, of_text, of_number })
}

/// A user's number, as the system's own list has it.
fn number_of(name: &str) -> Option<u32> {
    let list = std::fs::read_to_string(Path::new("/etc/passwd")).ok()?;
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}
