//! The members at all servers, as the log says.

use std::collections::BTreeMap;

use crate::room::order::{Place, ServerId};
use crate::wire::Nick;

/// A member somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub nick: Nick,
    /// Where its client is connected.
    pub server: ServerId,
    /// Where it came in the order. Of two with one nick, the older stays.
    pub place: Place,
    /// Its lines are encrypted.
    pub encrypted: bool,
}

/// All members by the keys of their nicks, which is also their order.
#[derive(Debug, Default)]
pub struct Census {
    holders: BTreeMap<Box<str>, Holder>,
    /// For each server, the number of its members and the sum of the hashes of their keys.
    sums: BTreeMap<ServerId, (u32, u64)>,
}

impl Census {
    /// The member with this key.
    pub fn get(&self, key: &str) -> Option<&Holder> {
        self.holders.get(key)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// All members, in the order of `WHO`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Holder)> {
        self.holders.iter().map(|(key, holder)| (&**key, holder))
    }

    /// The members of one server.
    pub fn of(&self, server: ServerId) -> impl Iterator<Item = (&str, &Holder)> {
        self.iter().filter(move |(_, holder)| holder.server == server)
    }

    /// The number of the members of a server, and the sum of the hashes of their keys.
    pub fn sum(&self, server: ServerId) -> (u32, u64) {
        self.sums.get(&server).copied().unwrap_or_default()
    }

    /// Adds a member. Its nick is free, or it was removed before.
    pub fn insert(&mut self, holder: Holder) {
        let key = holder.nick.key().into_owned();
        self.remove(&key);
        let (count, sum) = self.sums.entry(holder.server).or_default();
        (*count, *sum) = (*count + 1, sum.wrapping_add(hash(&key)));
        self.holders.insert(key.into(), holder);
    }

    /// Removes a member.
    pub fn remove(&mut self, key: &str) -> Option<Holder> {
        let holder = self.holders.remove(key)?;
        if let Some((count, sum)) = self.sums.get_mut(&holder.server) {
            (*count, *sum) = (*count - 1, sum.wrapping_sub(hash(key)));
            if *count == 0 {
                self.sums.remove(&holder.server);
            }
        }
        Some(holder)
    }

    /// Removes a member of this server.
    pub fn remove_of(&mut self, key: &str, server: ServerId) -> Option<Holder> {
        self.get(key).filter(|holder| holder.server == server)?;
        self.remove(key)
    }

    /// Removes all members of a server.
    pub fn remove_all_of(&mut self, server: ServerId) -> Vec<Holder> {
        let keys: Vec<String> = self.of(server).map(|(key, _)| key.into()).collect();
        keys.iter().filter_map(|key| self.remove(key)).collect()
    }
}

/// FNV-1a of a key: the same on every machine.
pub fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
