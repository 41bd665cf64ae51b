//! Visitors of members that could be the next host.

use super::Mutant;
use super::member::{State, token};
use super::network::World;
use super::rooms::Message;
use crate::takeover::{Door, HOLD, Situation};

impl World {
    pub fn accepted(&mut self, i: usize, c: usize) {
        let no_hold = self.is(Mutant::NoHold);
        let time = self.time();
        let member = &mut self.members[i];
        if member.room.is_some() || member.asleep {
            return;
        }
        let situation = match (member.state, member.host) {
            (State::Member, Some(host)) => Situation::Member(host),
            (State::Lost | State::Greeting | State::Looking, _)
                if member.marks.is_some() && !no_hold =>
            {
                Situation::Seeking
            }
            _ => Situation::Outside,
        };
        match member.standby.visited(situation, time) {
            Door::Hold => {
                member.held.push(c);
                self.after(i, HOLD.as_secs_f64(), move |world| {
                    let held = &mut world.members[i].held;
                    if let Some(at) = held.iter().position(|held| *held == c) {
                        held.remove(at);
                        world.turn_away(i, c);
                    }
                });
            }
            Door::Turn { doubt, .. } => {
                self.turn_away(i, c);
                if doubt {
                    self.doubt(i);
                }
            }
        }
    }

    fn turn_away(&mut self, i: usize, c: usize) {
        let member = &self.members[i];
        let host = member.host.filter(|_| member.state == State::Member);
        let message = Message::Elsewhere(token(i, member.life), host);
        self.send(c, 1, message);
        self.close(c, 1);
    }

    /// Another member has lost the host: tries whether it is there for us.
    fn doubt(&mut self, i: usize) {
        let member = &self.members[i];
        let (Some(host), connection) = (member.host, member.connection) else { return };
        self.connect(i, host, move |world, reached| {
            if let Some(reached) = reached {
                return world.close(reached, 0);
            }
            let member = &mut world.members[i];
            if member.state == State::Member && member.connection == connection {
                member.connection = None;
                if let Some(connection) = connection {
                    world.close(connection, 0);
                }
                world.seek(i);
            }
        });
    }

    /// Visitors at the door are let in, or told where the host is.
    pub fn release(&mut self, i: usize) {
        for c in std::mem::take(&mut self.members[i].held) {
            if self.members[i].room.is_some() {
                for message in std::mem::take(&mut self.connections[c].early) {
                    self.heard(i, c, 1, message);
                }
            } else {
                self.turn_away(i, c);
            }
        }
    }

    pub fn is_held(&self, i: usize, c: usize) -> bool {
        self.members[i].held.contains(&c)
    }
}
