//! Which offers wait for their other end, and which pairs are on trial.
//!
//! That two offers have mirrored addresses proves nothing yet: the first may be stale, its socket closed and its port used
//! again by a stranger. So when the second comes, its duplicate is kept and the first is asked to present its socket once
//! more. While the broker holds both duplicates, neither socket can go away; if both are established then, and no two
//! established sockets of one network have the same addresses, they are the two ends of one connection.

use crate::duplicate::Duplicate;
use crate::limits::{OFFERS_PER_CLIENT_MAX, TRIAL_TIME, TRIALS_MAX};
use crate::room::{User, allowance};
use crate::sight::{Key, Sight};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;
use vmmc_protocol::Reason;
use vmmc_protocol::message::Reply;

/// The broker's name for a connected process; never used again.
pub(crate) type ClientId = u64;

/// A process that offers, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offerer {
    pub(crate) client: ClientId,
    pub(crate) user: User,
}

/// A process's wish for the other end of one of its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) client: ClientId,
    pub(crate) token: u64,
    user: User,
    cookie: u64,
}

/// What shall be done as a consequence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Say this to a process.
    Tell(ClientId, Reply),
    /// The two are proven to be the ends of one connection, whose first has this key, and are pending no more.
    Pair(Offer, Offer, Key),
}

/// The first offer of a pair has been asked to show its socket; this is what is held of the second meanwhile.
#[derive(Debug)]
struct Trial {
    second: Duplicate,
    /// Of whom an answer is awaited: it is his trial.
    user: User,
    number: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Offers {
    /// One offer for a key, the newest.
    pending: HashMap<Key, Offer>,
    /// The keys of each process's offers, by token.
    tokens: HashMap<ClientId, HashMap<u64, Key>>,
    /// By the first's key; the second is the mirrored one.
    trials: HashMap<Key, Trial>,
    trials_begun: u64,
    /// When trials end, oldest first, with their numbers. May name trials that ended before.
    deadlines: VecDeque<(Instant, Key, u64)>,
    /// Keys of pending offers that found no room for a trial, by the user whose trial it would be.
    waiting: BTreeMap<User, BTreeSet<Key>>,
    /// Whether trials are divided between users.
    divided: bool,
    effects: Vec<Effect>,
}

impl Offers {
    /// None yet; trials are divided between users, or are all one user's.
    pub(crate) fn new(divided: bool) -> Self {
        Self { divided, ..Self::default() }
    }

    /// How many are pending.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// What has to be done because of the calls since the last time.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// A process presents a socket: as a new offer, once more, or because it was asked to.
    pub(crate) fn present(&mut self, by: Offerer, token: u64, socket: Duplicate, now: Instant) {
        let Offerer { client, user } = by;
        let sight = match Sight::of(socket.socket()) {
            Ok(sight) => sight,
            Err(reason) => return self.refuse(client, token, reason),
        };
        let key = sight.key;
        if self.tokens.get(&client).and_then(|tokens| tokens.get(&token)).is_some_and(|old| *old != key) {
            self.withdraw(client, token);
        }
        let offer = Offer { client, token, user, cookie: sight.cookie };
        self.displace(key, offer);
        if self.pending.get(&key) == Some(&offer)
            && let Some(trial) = self.trials.remove(&key)
        {
            return self.judge(key, offer, &trial);
        }
        if self.note(key, offer) {
            self.try_with_mirror(key, offer, socket, now);
        }
    }

    /// The process does not want the other end any more.
    pub(crate) fn withdraw(&mut self, client: ClientId, token: u64) {
        let key = self.tokens.get_mut(&client).and_then(|tokens| tokens.remove(&token));
        if let Some(key) = key {
            self.forget_key(key);
        }
    }

    /// The process is gone.
    pub(crate) fn forget_client(&mut self, client: ClientId) {
        for key in self.tokens.remove(&client).into_iter().flat_map(HashMap::into_values) {
            self.forget_key(key);
        }
    }

    /// Ends trials whose time is over (the offers stay pending), begins those that waited for room, and says when to
    /// come again.
    pub(crate) fn pass_time(&mut self, now: Instant) -> Option<Instant> {
        while let Some((deadline, key, number)) = self.deadlines.front().copied() {
            let is_under_way = self.trials.get(&key).is_some_and(|trial| trial.number == number);
            if is_under_way && deadline > now {
                break;
            }
            if is_under_way {
                self.trials.remove(&key);
            }
            self.deadlines.pop_front();
        }
        let users: Vec<User> = self.waiting.keys().copied().collect();
        for user in users {
            self.ask_waiting(user);
        }
        self.deadlines.front().map(|(deadline, ..)| *deadline)
    }

    /// Asks for the sockets of pairs that waited until this user may have trials again.
    fn ask_waiting(&mut self, user: User) {
        let allowed = self.trials_allowed(user);
        let Some(waiting) = self.waiting.get_mut(&user) else { return };
        for key in (0..allowed).map_while(|_| waiting.pop_first()) {
            if self.pending.contains_key(&key.mirror())
                && let Some(offer) = self.pending.get(&key)
            {
                self.effects.push(Effect::Tell(offer.client, Reply::Confirm { token: offer.token }));
            }
        }
        self.waiting.retain(|_, keys| !keys.is_empty());
    }

    /// How many trials more this user may have.
    fn trials_allowed(&self, user: User) -> usize {
        let has = self.trials.values().filter(|trial| trial.user == user).count();
        allowance(TRIALS_MAX.saturating_sub(self.trials.len()), has, self.divided)
    }

    /// An older offer with the same key is not the one that its other end would find any more.
    fn displace(&mut self, key: Key, by: Offer) {
        let Some(old) = self.pending.get(&key).copied() else { return };
        if (old.client, old.token) != (by.client, by.token) {
            let shared = old.cookie == by.cookie;
            self.refuse(
                old.client,
                old.token,
                if shared { Reason::SHARED_BEFORE_PAIRING } else { Reason::NOT_ESTABLISHED },
            );
        }
    }

    /// Writes the offer down; `false` if the process has too many.
    fn note(&mut self, key: Key, offer: Offer) -> bool {
        let tokens = self.tokens.entry(offer.client).or_default();
        if tokens.len() >= OFFERS_PER_CLIENT_MAX && !tokens.contains_key(&offer.token) {
            self.refuse(offer.client, offer.token, Reason::NO_MEMORY);
            return false;
        }
        tokens.insert(offer.token, key);
        if self.pending.insert(key, offer).is_some_and(|old| old.cookie != offer.cookie) {
            self.trials.remove(&key);
        }
        true
    }

    /// Looks for the other end, and begins a trial if it is there.
    fn try_with_mirror(&mut self, key: Key, offer: Offer, socket: Duplicate, now: Instant) {
        let mirror = key.mirror();
        let Some(first) = self.pending.get(&mirror).copied() else { return };
        // A socket that is connected to itself is its own mirror.
        if first.cookie == offer.cookie {
            return;
        }
        if let Some(trial) = self.trials.get_mut(&mirror) {
            trial.second = socket;
        } else if self.trials_allowed(first.user) == 0 {
            self.waiting.entry(first.user).or_default().insert(key);
        } else {
            self.trials_begun += 1;
            self.trials.insert(mirror, Trial { second: socket, user: first.user, number: self.trials_begun });
            self.deadlines.push_back((now + TRIAL_TIME, mirror, self.trials_begun));
            self.effects.push(Effect::Tell(first.client, Reply::Confirm { token: first.token }));
        }
    }

    /// The first has shown its socket, which is established, while the second's duplicate was held all the time.
    fn judge(&mut self, key: Key, first: Offer, trial: &Trial) {
        let Some(second) = self.pending.get(&key.mirror()).copied() else { return };
        let expected = Sight { key: key.mirror(), cookie: second.cookie };
        if Sight::of(trial.second.socket()) == Ok(expected) {
            self.withdraw(first.client, first.token);
            self.withdraw(second.client, second.token);
            self.effects.push(Effect::Pair(first, second, key));
        } else {
            self.refuse(second.client, second.token, Reason::NOT_ESTABLISHED);
        }
    }

    fn refuse(&mut self, client: ClientId, token: u64, reason: Reason) {
        self.withdraw(client, token);
        self.effects.push(Effect::Tell(client, Reply::Refused { token, reason }));
    }

    fn forget_key(&mut self, key: Key) {
        self.pending.remove(&key);
        self.trials.remove(&key);
        self.trials.remove(&key.mirror());
        for keys in self.waiting.values_mut() {
            keys.remove(&key);
        }
    }
}
