//! The lists of members that servers tell each other, and servers that are gone.

use std::collections::BTreeMap;

use crate::room::order::census::Holder;
use crate::room::order::line::{Line, List, Listed, OperatorLine};
use crate::room::order::{EntryId, MAX_MEMBERS, PastMessage, Place, ServerId};
use crate::room::shared::Context;
use crate::room::{Change, Entry, Room};
use crate::wire::{Event, NICK_LOST, SERVER, Scope};

impl Room {
    /// A server says who is there, and what number the last message has.
    pub(super) fn take_list(&mut self, context: &Context<'_>, mut list: List) {
        if let Some((at, number, term)) = list.count.take() {
            self.take_count(at, number, term);
        }
        let Some(order) = self.order.as_mut().filter(|order| order.is_attached()) else { return };
        let Some((members, new)) = order.add_part(context.server, list) else { return };
        if new && !context.own {
            order.announce(); // It does not know this server, either.
            for place in order.bans.clone() {
                order.propose(&Line::Order(OperatorLine::Ban(place)));
            }
        }
        let keyed = members.into_iter().map(|it| (it.nick.key().into_owned(), it));
        let listed: BTreeMap<String, Listed> = keyed.collect();
        let here = order.census.of(context.server).map(|(key, _)| key);
        let left: Vec<String> =
            here.filter(|key| !listed.contains_key(*key)).map(Into::into).collect();
        for key in left {
            self.lose_member(&key);
        }
        for (key, member) in listed {
            self.place_member(context, &key, member);
        }
    }

    /// A member is where a list says, unless an older one has its nick.
    pub(super) fn place_member(&mut self, context: &Context<'_>, key: &str, member: Listed) {
        let Some(order) = &mut self.order else { return };
        let place = member.place.unwrap_or(context.place);
        match order.census.get(key) {
            Some(holder) if holder.server == context.server => {
                let server = context.server;
                let Listed { nick, encrypted, .. } = member;
                return order.census.insert(Holder { nick, server, place, encrypted });
            }
            Some(holder) if holder.place <= place => {
                if context.own {
                    self.take_away(key);
                }
                return;
            }
            Some(_) => self.lose_member(key),
            None => (),
        }
        if !context.own {
            self.take_away(key);
        }
        let Some(order) = &mut self.order else { return };
        if order.census.len() >= MAX_MEMBERS {
            return;
        }
        let Listed { nick, encrypted, .. } = member;
        order.limbo.remove(key);
        order.census.insert(Holder {
            nick: nick.clone(),
            server: context.server,
            place,
            encrypted,
        });
        if context.own && self.members.contains_key(key) {
            return; // It was here all the time.
        }
        self.apply_ordered(Entry::Came(&nick));
        self.take_back(context, &nick);
    }

    /// Removes a member from the order. If it is of this server, its session ends.
    pub(super) fn lose_member(&mut self, key: &str) {
        let Some(order) = &mut self.order else { return };
        let me = order.me;
        if let Some(holder) = order.census.remove(key) {
            if holder.server == me {
                self.take_away(key);
            }
            self.apply_ordered(Entry::Went(&holder.nick));
        }
    }

    /// Ends the session that has this nick here, because it belongs to another member.
    pub(super) fn take_away(&mut self, key: &str) {
        if let Some(order) = &mut self.order {
            order.limbo.remove(key);
        }
        let Some(id) = self.members.remove(key) else { return };
        let text = NICK_LOST;
        self.tell(id, Event::Message { from: SERVER, scope: Scope::Dm, text });
        self.tell(id, Event::Bye);
        if let Some(nick) = self.sessions[id.0].take_nick() {
            self.report(id, Change::Left(nick));
        }
        self.end(id);
    }

    /// A server is gone, and its members with it.
    pub(super) fn lose_server(&mut self, place: Place, server: ServerId) {
        let Some(order) = &mut self.order else { return };
        let me = order.me;
        let Some(members) = order.remove_server(server) else { return };
        if server != me {
            for member in members {
                self.apply_ordered(Entry::Went(&member.nick));
            }
            return;
        }
        order.be_reborn((place.0, place.1));
        for member in members {
            let key: Box<str> = (*member.nick.key()).into();
            if self.members.contains_key(&key)
                && let Some(order) = &mut self.order
            {
                order.limbo.insert(key, member);
            }
        }
    }

    /// Another server says what the number of the last message was at an entry.
    pub(super) fn take_count(&mut self, at: EntryId, number: u64, term: Box<str>) {
        let Some(order) = &mut self.order else { return };
        order.rebase(at, number);
        if !order.open {
            order.term = Some(term);
            return;
        }
        if *term < *self.rules.term {
            self.rules.term = term.into();
        } else if *term != *self.rules.term {
            order.announce();
        }
        self.count_on();
    }

    /// Gives the next message its number in the order.
    pub(super) fn count_on(&mut self) {
        let Some(order) = self.order.as_ref().filter(|order| order.open) else { return };
        let next = order.base.map_or(0, |base| base + order.count() + 1);
        self.feed.transcript.count_from(next);
    }

    /// The members at all servers are known. From now on clients may register, and the
    /// messages so far have their numbers.
    pub(super) fn open_shared(&mut self) {
        let last = self.last_number();
        let Some(order) = &mut self.order else { return };
        order.open = true;
        self.effects.opened = true;
        let count = order.count();
        // A store may know more than the log.
        let base = order.base.unwrap_or(last).max(last.saturating_sub(count));
        order.base = Some(base);
        if let Some(term) = order.term.take() {
            self.rules.term = term.into();
        }
        order.announce();
        let past = std::mem::take(&mut order.past);
        let first = base + count + 1 - past.len() as u64;
        for (PastMessage { millis, from, text }, number) in past.into_iter().zip(first..) {
            if number > last {
                self.restore(number, millis, &from, &text);
            }
        }
        self.feed.transcript.count_from(base + count + 1);
    }
}
