//! Who may be paired with whom. docs/policy.md describes the file.
//!
//! What it is asked about is proven: the sockets' addresses by their duplicates, the users by the kernel. Which program a
//! process runs is what the process chose to run, and no more.

mod file;
mod words;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use words::{Network, Ports, Users};

/// Where a broker looks for its policy if it is told of none.
pub const POLICY_FILE: &str = "/etc/vmmc/policy.toml";

/// What a broker goes by.
#[derive(Clone, Debug)]
pub struct Policy {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

/// Fits two ends, one each, whichever of them is which.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    server: EndRule,
    #[serde(default)]
    client: EndRule,
}

/// Fits an end that has all that is named; nothing named is no condition.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct EndRule {
    users: Option<Users>,
    programs: Option<Vec<words::Program>>,
    ports: Option<Vec<Ports>>,
    addresses: Option<Vec<Network>>,
}

/// One end of a connection whose two ends are proven.
#[derive(Clone, Copy, Debug)]
pub struct Party {
    /// Its process, or 0 if it cannot be seen.
    pub pid: u32,
    /// Its user, if that can be told from others.
    pub user: Option<u32>,
    /// Its address; IPv4 as such.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

/// Whether rules of the kind permit: what is not known for certain never helps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Allow,
    Deny,
}

impl Default for Policy {
    /// Within one user everything, between two nothing.
    fn default() -> Self {
        Self { allow: vec![Rule::default()], deny: Vec::new() }
    }
}

impl Policy {
    /// Reads the policy in a file that nobody else can have written.
    ///
    /// # Errors
    /// One line that says what is wrong where; `NotFound` if there is no such file.
    pub fn read(path: &Path) -> io::Result<Self> {
        file::read(path)
    }

    /// The policy that holds on this machine: the one in the file that is named, else in [`POLICY_FILE`], and the default one
    /// where that does not exist. With it comes the file that was read.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn in_force(named: Option<PathBuf>) -> io::Result<(Self, Option<PathBuf>)> {
        let path = named.clone().unwrap_or_else(|| POLICY_FILE.into());
        match Self::read(&path) {
            Ok(policy) => Ok((policy, Some(path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => Ok((Self::default(), None)),
            Err(error) => Err(error),
        }
    }

    /// Reads the policy in a text: the line that is wrong, and how, if it is none.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        file::parse(text)
    }

    /// How many rules allow something, and how many deny something.
    #[must_use]
    pub fn rules(&self) -> (usize, usize) {
        (self.allow.len(), self.deny.len())
    }

    /// Whether the two may share memory.
    #[must_use]
    pub fn allows(&self, ends: [&Party; 2]) -> bool {
        let fits = |rules: &[Rule], kind| rules.iter().any(|rule| rule.fits(ends, kind));
        fits(&self.allow, Kind::Allow) && !fits(&self.deny, Kind::Deny)
    }
}

impl Rule {
    fn fits(&self, [one, other]: [&Party; 2], kind: Kind) -> bool {
        let fit = |server, client| self.server.fits(server, client, kind) && self.client.fits(client, server, kind);
        fit(one, other) || fit(other, one)
    }
}

impl EndRule {
    fn fits(&self, end: &Party, other: &Party, kind: Kind) -> bool {
        let in_doubt = kind == Kind::Deny;
        let user = match (&self.users, end.user) {
            (Some(Users::Any), _) => true,
            (Some(Users::These(users)), Some(user)) => users.contains(&user),
            (None, Some(user)) => in_doubt || other.user == Some(user),
            (_, None) => in_doubt,
        };
        let addressed = self.ports.as_ref().is_none_or(|ports| ports.iter().any(|ports| ports.contain(end.port)))
            && self.addresses.as_ref().is_none_or(|all| all.iter().any(|network| network.contains(end.address)));
        // Last, since it asks the system.
        user && addressed
            && self.programs.as_ref().is_none_or(|programs| match program_of(end.pid) {
                Some(program) => programs.iter().any(|named| named.0 == program),
                None => in_doubt,
            })
    }
}

/// The program that a process runs, if it can be seen.
fn program_of(pid: u32) -> Option<PathBuf> {
    // On systems without /proc no program is known.
    (pid != 0).then(|| std::fs::read_link(format!("/proc/{pid}/exe")).ok()).flatten()
}

#[cfg(test)]
mod tests;
