//! A room on several servers: what it proposes to the order, and what comes back from it.
//!
//! Without an order, nothing here is called but one question for each line.

mod lists;

use std::time::Duration;

use crate::room::order::census::Holder;
use crate::room::order::line::{Line, OperatorLine, Unreadable};
use crate::room::order::{
    Admitted, EntryId, MAX_BANS, MAX_MEMBERS, Order, Place, Proposal, ServerId,
};
use crate::room::{Change, Entry, MAX_HISTORY, Room, SessionId};
use crate::wire::{Command, Event, Nick, Refusal, SERVER, Scope, TooLong, sanitize::strip};

/// Where a line stands, and whose it is.
struct Context<'a> {
    server: ServerId,
    /// It is of this server.
    own: bool,
    place: Place,
    proposal: Option<&'a Proposal>,
    /// The session that has proposed it, if that is still there.
    by: Option<SessionId>,
}

impl Room {
    /// Joins an order that several servers share, before anyone enters. The number is random,
    /// and names this run of this server.
    pub fn share(&mut self, me: ServerId) {
        self.order = Some(Box::new(Order::new(me)));
    }

    /// Whether there is such an order.
    pub fn is_shared(&self) -> bool {
        self.order.is_some()
    }

    /// Whether clients may register, because the members at all servers are known.
    pub fn is_open(&self) -> bool {
        self.order.as_ref().is_none_or(|order| order.open)
    }

    /// How many other servers share the order.
    pub fn other_servers(&self) -> usize {
        self.order.as_ref().map_or(0, |order| order.others())
    }

    /// The version of the log's format that another server uses, if it is not ours.
    pub fn other_version(&self) -> Option<u32> {
        self.order.as_ref()?.other_version
    }

    /// The version of the log's format that an entry names, if it is not ours.
    pub fn foreign_version(entry: &[u8]) -> Option<u32> {
        let line = str::from_utf8(entry).ok()?.split('\n').nth(1)?;
        match Line::parse(line) {
            Err(Unreadable::Version(version)) => Some(version),
            _ => None,
        }
    }

    /// Whether there is an entry for the log.
    pub fn has_entry(&self, now: Duration) -> bool {
        self.order.as_ref().is_some_and(|order| order.has_entry(now))
    }

    /// Whether everything that was proposed is in the log, and was read back.
    pub fn has_settled(&self) -> bool {
        self.order.as_ref().is_none_or(|order| order.is_done())
    }

    /// The next entry for the log, to be appended at once.
    pub fn take_entry(&mut self, now: Duration) -> Option<String> {
        let last = self.last_number();
        self.order.as_mut()?.take_entry(now, last, &self.rules.term)
    }

    /// It is not known whether the log has the last entries. They are sent again.
    pub fn doubt(&mut self) {
        if let Some(order) = &mut self.order {
            order.doubt();
        }
    }

    /// Says something to the members of this server, outside of the order and the history.
    pub fn notice(&mut self, text: &str) {
        if !self.closed {
            self.apply(Entry::Noticed(text));
            self.evict_lagging();
        }
    }

    /// Whether a line has to wait, because the answer to an earlier line of the session is
    /// under way. The session is woken when it may go on.
    pub fn holds(&mut self, id: SessionId, line: Result<&[u8], TooLong>) -> bool {
        let Some(order) = &mut self.order else { return false };
        let session = &self.sessions[id.0];
        if session.reader.leaving || line == Ok(b"") {
            return false;
        }
        let talks = session.nick.is_some() && !session.muted;
        let line = line.ok().and_then(|line| str::from_utf8(line).ok());
        let (goes_along, registers) = match line.map(Command::parse) {
            Some(Ok(Command::Nick(_))) => (false, session.nick.is_none()),
            Some(Ok(Command::Say(_))) => (talks, false),
            Some(Ok(Command::Whisper { to, .. })) => {
                let known = Nick::sought(to).is_some_and(|key| order.census.get(&key).is_some());
                (talks && known, false)
            }
            _ => (false, false),
        };
        order.holds(id, goes_along, registers)
    }

    /// Whether a session whose line was held may say it now.
    pub fn may_go_on(&self, id: SessionId) -> bool {
        self.order.as_ref().is_none_or(|order| order.may_go_on(id))
    }

    /// The nicks of all members at all servers, in the order of `WHO`, and whether their
    /// lines are encrypted.
    pub fn nicks(&self) -> impl Iterator<Item = (&str, bool)> {
        let here = self.order.is_none().then(|| {
            self.members().map(|(id, nick)| (nick.as_str(), self.sessions[id.0].encrypted))
        });
        let everywhere = self.order.iter().flat_map(|order| {
            order.census.iter().map(|(_, holder)| (holder.nick.as_str(), holder.encrypted))
        });
        here.into_iter().flatten().chain(everywhere)
    }

    /// The nick of the member at another server that `name` means.
    pub fn find_elsewhere(&self, name: &str) -> Option<&Nick> {
        let order = self.order.as_ref()?;
        let holder = order.census.get(&Nick::sought(name)?)?;
        (holder.server != order.me).then_some(&holder.nick)
    }

    /// The orders of the operators of all servers since this was last asked.
    pub fn take_orders(&mut self) -> Vec<OperatorLine> {
        std::mem::take(&mut self.effects.orders)
    }

    /// Gives an order of the operator to all servers.
    pub fn order_everywhere(&mut self, line: OperatorLine) {
        if let Some(order) = self.order.as_mut().filter(|order| !order.closed) {
            order.propose(&Line::Order(line));
        }
    }

    /// How many members there were before an entry that is applied now. The order knows of it
    /// already.
    pub(super) fn members_before(&self, entry: Entry<'_>) -> usize {
        let Some(order) = &self.order else { return self.members.len() };
        let members = order.census.len();
        match entry {
            Entry::Joined(..) | Entry::Came(_) => members.saturating_sub(1),
            Entry::Went(_) => members + 1,
            _ => members,
        }
    }

    /// Proposes an entry to the order. Returns whether it waits there.
    pub(super) fn send_to_order(&mut self, entry: Entry<'_>) -> bool {
        let Some(order) = &mut self.order else { return false };
        match entry {
            Entry::Said { by, from, text } => {
                order.propose_for(by, &Line::Say(from.into(), text.into()), None);
            }
            Entry::Announced(text) => order.propose(&Line::Say(SERVER.into(), text.into())),
            Entry::Joined(id, nick) => {
                let encrypted = self.sessions[id.0].encrypted;
                order.propose_for(id, &Line::Join(nick.clone(), encrypted), None);
            }
            Entry::Renamed { id, old, new } => {
                order.propose_for(id, &Line::Rename(old.clone(), new.clone()), None);
            }
            _ => return false,
        }
        true
    }

    /// A session is a member no more. The other members are told by the order.
    pub(super) fn propose_leave(&mut self, id: SessionId, nick: &Nick) {
        let key = nick.key();
        if self.members.get(&*key) == Some(&id) {
            self.members.remove(&*key);
        }
        self.report(id, Change::Left(nick.clone()));
        if let Some(order) = self.order.as_mut().filter(|order| !order.closed) {
            order.limbo.remove(&*key);
            order.propose(&Line::Leave(nick.clone()));
        }
    }

    /// Proposes a private message. Between two members of this server, the text stays here.
    pub(super) fn propose_private(
        &mut self,
        id: SessionId,
        from: &Nick,
        to: &str,
        text: &str,
    ) -> Result<(), Refusal> {
        let order = self.order.as_mut().expect("the caller has asked");
        let key = Nick::sought(to).ok_or(Refusal::UserNotFound)?;
        let holder = order.census.get(&key).ok_or(Refusal::UserNotFound)?;
        let (from, text) = (from.as_str(), strip(text));
        if holder.server == order.me {
            let event = Event::Message { from, scope: Scope::Dm, text: &text };
            let private = Some(((*key).into(), event.to_string()));
            order.propose_for(id, &Line::Placeholder, private);
        } else {
            let to = holder.nick.as_str().into();
            order.propose_for(id, &Line::Tell(to, from.into(), text.into_owned()), None);
        }
        Ok(())
    }

    /// Says to the other servers that this one stops.
    pub(super) fn leave_order(&mut self) {
        if let Some(order) = &mut self.order {
            let me = order.me;
            order.propose(&Line::Gone(me));
            order.closed = true;
        }
    }

    /// Takes an entry of the log, in the order of the log.
    pub fn ordered(&mut self, id: EntryId, entry: &[u8], now: Duration) {
        self.clock = now;
        let Some(order) = &mut self.order else { return };
        let Ok(entry) = str::from_utf8(entry) else { return };
        let Some((header, lines)) = entry.split_once('\n') else { return };
        let first = lines.split('\n').next().unwrap_or_default();
        let Some(Admitted { server, proposals }) = order.admit(id, header, first) else {
            return self.heed_departed(id, header, lines);
        };
        let own = server == order.me;
        if own && !order.is_attached() {
            order.attach(id.0);
        }
        let mut proposals = proposals.into_iter().flatten();
        let mut messages = 0;
        for (line, index) in lines.lines().zip(0..) {
            let proposal = proposals.next();
            let by = proposal.as_ref().and_then(|it| self.order.as_ref()?.proposer(it));
            let place = (id.0, id.1, index);
            let context = Context { server, own, place, proposal: proposal.as_ref(), by };
            match Line::parse(line) {
                Ok(line) if !self.closed => {
                    messages += u64::from(matches!(line, Line::Say(..)));
                    self.obey_line(&context, line);
                }
                Err(Unreadable::Version(version)) => self.find_version(version),
                Ok(_) | Err(Unreadable::Malformed) => (),
            }
            if let Some(proposal) = &proposal {
                self.settle_proposal(proposal);
            }
        }
        for proposal in proposals {
            self.settle_proposal(&proposal); // None is left, unless the log was changed.
        }
        let Some(order) = &mut self.order else { return };
        order.mark(id, entry.len(), messages);
        if !order.open && order.knows_all() {
            self.open_shared();
        }
        if let Some(order) = &mut self.order {
            self.effects.resumed.extend(order.take_resumed());
        }
    }

    /// An entry does not count. Its server may be gone here, and have taken this one for gone.
    fn heed_departed(&mut self, id: EntryId, header: &str, lines: &str) {
        let Some(order) = self.order.as_mut().filter(|order| order.is_attached()) else { return };
        let server = header.split(' ').next().and_then(|it| ServerId::from_str_radix(it, 16).ok());
        let me = Line::Gone(order.me).to_string();
        if server.is_some_and(|it| order.goes_on(it)) && lines.lines().any(|line| line == me) {
            order.revive_all();
            self.lose_server((id.0, id.1, 0), self.me());
        }
    }

    fn me(&self) -> ServerId {
        self.order.as_ref().map_or(0, |order| order.me)
    }

    /// A proposal has come back. A session ends that has waited for it.
    fn settle_proposal(&mut self, proposal: &Proposal) {
        let ended = self.order.as_mut().and_then(|order| order.settle(proposal));
        if let Some(id) = ended {
            self.keep_nick(id);
            self.end(id);
            self.effects.wake.some.push(id);
        }
    }

    fn find_version(&mut self, version: u32) {
        if let Some(order) = &mut self.order
            && order.other_version.replace(version) != Some(version)
        {
            self.effects.other_version = Some(version);
        }
    }

    /// Changes the room as a line says.
    fn obey_line(&mut self, context: &Context<'_>, line: Line) {
        let Some(order) = &mut self.order else { return };
        match line {
            Line::Say(from, text) => self.hear_ordered(context, from, text),
            Line::Gone(server) => self.lose_server(context.place, server),
            Line::List(list) => self.take_list(context, list),
            Line::Order(OperatorLine::Ban(place)) => {
                if order.bans.len() < MAX_BANS || order.bans.contains(&place) {
                    order.bans.insert(place.clone());
                    self.effects.orders.push(OperatorLine::Ban(place));
                }
            }
            Line::Order(OperatorLine::Lift(place)) => {
                order.bans.remove(&place);
                self.effects.orders.push(OperatorLine::Lift(place));
            }
            _ if !order.is_attached() => (), // It was long ago.
            Line::Join(nick, encrypted) => self.join_ordered(context, nick, encrypted),
            Line::Leave(nick) => {
                if order.census.remove_of(&nick.key(), context.server).is_some() {
                    self.apply_ordered(Entry::Went(&nick));
                }
            }
            Line::Rename(old, new) => self.rename_ordered(context, &old, &new),
            Line::Tell(to, from, text) => {
                let event = Event::Message { from: &from, scope: Scope::Dm, text: &text };
                self.tell_ordered(context, &Nick::key_of(&to), &event.to_string());
            }
            Line::Placeholder => {
                if let Some((key, text)) = context.proposal.and_then(|it| it.private.as_ref()) {
                    self.tell_ordered(context, key, text);
                }
            }
            Line::Order(OperatorLine::Kick(nick, reason)) => {
                if let Some(id) = self.find(&nick) {
                    self.kick(id, &reason);
                }
            }
            Line::Order(order) => self.effects.orders.push(order),
            Line::Beat { .. } if context.own => {
                for server in order.count_missed() {
                    order.propose(&Line::Gone(server));
                }
            }
            Line::Beat { count, sum, last, .. } => {
                order.check_beat(context.server, count, sum);
                if let Some((at, number)) = last {
                    order.rebase(at, number);
                    self.count_on();
                }
            }
            Line::Ask(server) => order.was_asked(server),
        }
    }

    /// Applies an entry that was ordered.
    fn apply_ordered(&mut self, entry: Entry<'_>) {
        self.apply(entry);
        self.evict_lagging();
    }

    fn hear_ordered(&mut self, context: &Context<'_>, from: Box<str>, text: String) {
        let millis = context.place.0;
        match self.order.as_mut().filter(|order| !order.open) {
            Some(order) => order.keep_past(millis, from, text, MAX_HISTORY),
            None => {
                self.apply_ordered(Entry::Restored { millis, from: &from, text: &text });
            }
        }
    }

    fn join_ordered(&mut self, context: &Context<'_>, nick: Nick, encrypted: bool) {
        let key = nick.key().into_owned();
        let Some(order) = &mut self.order else { return };
        let held = order.census.get(&key).is_some() || order.census.len() >= MAX_MEMBERS;
        if held {
            if let Some(id) = context.by {
                self.tell(id, Event::Refused(Refusal::NickInUse));
            }
            return;
        }
        let (server, place) = (context.server, context.place);
        self.take_away(&key);
        let full = self.is_full();
        let newcomer = context.by.filter(|&id| !self.sessions[id.0].reader.leaving);
        if let Some(id) = newcomer.filter(|_| full) {
            self.tell(id, Event::Refused(Refusal::RoomFull));
            self.end(id);
        }
        let Some(order) = &mut self.order else { return };
        order.census.insert(Holder { nick: nick.clone(), server, place, encrypted });
        match newcomer.filter(|_| !full) {
            Some(id) => self.apply_ordered(Entry::Joined(id, &nick)),
            None => {
                self.apply_ordered(Entry::Came(&nick));
                self.take_back(context, &nick);
            }
        }
    }

    /// A member of this server came back from the order after its session was over.
    fn take_back(&mut self, context: &Context<'_>, nick: &Nick) {
        if let Some(order) = self.order.as_mut().filter(|_| context.own) {
            order.propose_leave_first(nick.clone());
        }
    }

    fn rename_ordered(&mut self, context: &Context<'_>, old: &Nick, new: &Nick) {
        let Some(order) = &mut self.order else { return };
        let (from, to) = (old.key().into_owned(), new.key().into_owned());
        let Some(holder) = order.census.get(&from).filter(|it| it.server == context.server) else {
            return;
        };
        if from != to && order.census.get(&to).is_some() {
            if let Some(id) = context.by {
                self.tell(id, Event::Refused(Refusal::NickInUse));
            }
            return;
        }
        let holder = Holder { nick: new.clone(), place: context.place, ..holder.clone() };
        if from != to {
            self.take_away(&to);
        }
        let Some(order) = &mut self.order else { return };
        order.census.remove(&from);
        order.census.insert(holder);
        match context.by.filter(|id| self.sessions[id.0].nick.is_some()) {
            Some(id) => self.apply_ordered(Entry::Renamed { id, old, new }),
            None => {
                self.apply_ordered(Entry::Turned { old, new });
                if from != to {
                    self.take_back(context, new); // Else the leave that follows is enough.
                }
            }
        }
    }

    fn tell_ordered(&mut self, context: &Context<'_>, key: &str, line: &str) {
        let Some(order) = &self.order else { return };
        let Some(holder) = order.census.get(key) else {
            if let Some(id) = context.by {
                self.tell(id, Event::Refused(Refusal::UserNotFound));
            }
            return;
        };
        if holder.server != order.me {
            if context.proposal.is_some_and(|it| it.private.is_some())
                && let Some(id) = context.by
            {
                // The receiver has moved to another server meanwhile.
                self.tell(id, Event::Refused(Refusal::UserNotFound));
            }
            return;
        }
        let Some(&to) = self.members.get(key) else { return };
        self.private_bytes += line.len() as u64;
        self.tell(to, line);
        let now = self.clock;
        if let Some(id) = context.by
            && self.sessions.contains(id.0)
            && self.sessions.contains(to.0)
            && (self.sessions[to.0].reader.lags_on_notes(now) || self.notes_are_heavy(now))
        {
            self.sessions[id.0].slows = Some(to);
        }
    }
}

#[cfg(test)]
mod tests;
