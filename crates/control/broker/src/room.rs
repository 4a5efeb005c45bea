//! What a user may take of something that there is only so much of.

use std::collections::HashMap;

/// A user; all who cannot be told apart are one.
pub(crate) type User = Option<u32>;

/// How many places a user may take beside those that he has, if so many are left. Where they are `divided`, nobody takes more than
/// he leaves: whoever comes next finds as much room as the one before him has taken, at the least.
pub(crate) fn allowance(left: usize, has: usize, divided: bool) -> usize {
    if divided { left.saturating_sub(has).div_ceil(2) } else { left }
}

/// Places, and who has how many of them.
#[derive(Debug)]
pub(crate) struct Room {
    left: usize,
    divided: bool,
    taken: HashMap<User, usize>,
}

impl Room {
    /// So many places, for one user or divided between all.
    pub(crate) fn new(places: usize, divided: bool) -> Self {
        Self { left: places, divided, taken: HashMap::new() }
    }

    /// Takes places for a user, all or none; `false` if he may not have them.
    #[must_use]
    pub(crate) fn take(&mut self, user: User, places: usize) -> bool {
        let has = self.taken.get(&user).copied().unwrap_or(0);
        let may = places <= allowance(self.left, has, self.divided);
        if may {
            self.left -= places;
            self.taken.insert(user, has + places);
        }
        may
    }

    /// Places that the user has taken are free again.
    pub(crate) fn give_back(&mut self, user: User, places: usize) {
        let Some(has) = self.taken.get_mut(&user) else { return };
        let back = places.min(*has);
        *has -= back;
        self.left += back;
        if *has == 0 {
            self.taken.remove(&user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: User = Some(1);
    const BOB: User = Some(2);

    fn as_many_as_may_be(room: &mut Room, user: User) -> usize {
        (0..).take_while(|_| room.take(user, 1)).count()
    }

    #[test]
    fn nobody_takes_more_than_he_leaves() {
        let mut room = Room::new(100, true);
        assert_eq!(as_many_as_may_be(&mut room, ALICE), 50);
        assert_eq!(as_many_as_may_be(&mut room, BOB), 25);
        assert_eq!(as_many_as_may_be(&mut room, ALICE), 0);
        room.give_back(ALICE, 50);
        assert_eq!(as_many_as_may_be(&mut room, BOB), 25);
        assert_eq!(as_many_as_may_be(&mut room, ALICE), 25);
        room.give_back(BOB, 1000);
        room.give_back(BOB, 1);
        assert_eq!(room.left, 75);
    }

    #[test]
    fn of_a_room_for_one_user_he_may_take_all() {
        let mut room = Room::new(10, false);
        assert!(!room.take(ALICE, 11));
        assert_eq!(as_many_as_may_be(&mut room, ALICE), 10);
        room.give_back(ALICE, 10);
        assert!(room.take(ALICE, 10));
    }
}
