//! One evening: what happens in it, and what must hold at its end.

use std::collections::BTreeMap;
use std::fmt;

use super::Mutant;
use super::member::{Member, State};
use super::network::World;

/// When nothing happens any more, in seconds.
const END: f64 = 45.0;
/// How long calm follows.
const CALM: f64 = 65.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Quiet,
    Crash,
    Firewall,
    Split,
    Mix,
}

/// The way in which the lack of a rule shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Evenings are bad.
    Bad,
    /// More rooms are opened beside another host of the same room.
    MoreHosts,
    /// All are together again later.
    Slower,
    /// Not at all: the rule stands on its argument.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Crash,
    Power,
    Leave,
    Sleep,
    Split,
}

/// The results of one evening.
#[derive(Default)]
pub struct Result {
    faults: Vec<String>,
    lines: usize,
    gaps: Vec<f64>,
    openings: u32,
    doubles: u32,
}

/// The results of many.
#[derive(Default)]
pub struct Summary {
    pub faults: Vec<String>,
    evenings: u32,
    lines: usize,
    gaps: Vec<f64>,
    openings: u32,
    pub doubles: u32,
}

impl Summary {
    pub fn add(&mut self, kind: Kind, seed: u64, result: Result) {
        self.evenings += 1;
        self.lines += result.lines;
        self.gaps.extend(result.gaps);
        self.openings += result.openings;
        self.doubles += result.doubles;
        if !result.faults.is_empty() {
            self.faults.push(format!("{kind:?} {seed}: {}", result.faults.join("; ")));
        }
        self.gaps.sort_by(f64::total_cmp);
    }

    /// How long it took until all were together again after their host was gone, in seconds.
    pub fn quantile(&self, share: f64) -> f64 {
        match self.gaps.len() {
            0 => 0.0,
            count => self.gaps[((count - 1) as f64 * share) as usize],
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { evenings, lines, openings, doubles, .. } = self;
        let [p50, p95, max] = [0.5, 0.95, 1.0].map(|share| self.quantile(share));
        write!(
            f,
            "{evenings} evenings, {} bad, {lines} lines; {openings} openings, {doubles} beside \
             another host; together again after {p50:.2} s (p50), {p95:.2} (p95), {max:.2} (max)",
            self.faults.len()
        )
    }
}

/// Notes of what happens beside the members.
#[derive(Default)]
pub struct Notes {
    pub gaps: Vec<f64>,
    /// At some time, only firewalled members were left.
    pub walled: bool,
}

pub fn evening(kind: Kind, seed: u64, mutant: Option<Mutant>) -> Result {
    let mut rng = fastrand::Rng::with_seed(seed * 8 + kind as u64);
    let lost_packets = *rng.choice([0.0, 0.0, 0.01, 0.05].iter()).expect("there are some");
    let lost_multicast = *rng.choice([0.0, 0.0, 0.1, 0.3].iter()).expect("there are some");
    let mut world = World::new(rng, lost_packets, lost_multicast);
    world.mutant = mutant;
    let count = world.rng.usize(2..=8);
    let walls = matches!(kind, Kind::Firewall | Kind::Mix) && world.chance(0.5);
    for _ in 0..count {
        let firewall = walls && world.chance(0.4);
        world.members.push(Member::new(firewall));
        world.sides.push(false);
    }
    if kind == Kind::Firewall && world.members.iter().all(|member| member.firewall) {
        world.members[0].firewall = false;
    }
    let together = world.chance(0.4);
    for i in 0..count {
        let at = world.uniform(0.0, if together { 0.05 } else { 6.0 });
        world.at(at, move |world| world.start(i));
        let mut at = 2.0;
        while at < END + 5.0 {
            at -= (1.0 - world.rng.f64()).ln() / 1.2;
            world.at(at, move |world| world.say(i));
        }
    }
    world.at(9.0, sample);
    let menu: &[Blow] = match kind {
        Kind::Quiet => &[],
        Kind::Crash | Kind::Firewall => &[Blow::Crash, Blow::Power, Blow::Leave],
        Kind::Split => &[Blow::Split, Blow::Split, Blow::Sleep],
        Kind::Mix => &[Blow::Crash, Blow::Power, Blow::Leave, Blow::Sleep, Blow::Split],
    };
    let mut at = if world.chance(0.7) { 9.0 } else { world.uniform(1.5, 9.0) };
    while at < END && !menu.is_empty() {
        let blow = *world.rng.choice(menu).expect("there are some");
        world.at(at, move |world| hit(world, blow));
        at += world.uniform(1.5, 14.0);
    }
    world.run(END + CALM);
    judge(&world, kind)
}

/// Looks whether only firewalled members are left.
fn sample(world: &mut World) {
    let mut left = world.members.iter().filter(|member| member.alive).peekable();
    let some = left.peek().is_some();
    world.notes.walled |= some && left.all(|member| member.firewall);
    world.later(0.2, sample);
}

/// A member that something happens to: a host most often.
fn victim(world: &mut World) -> Option<usize> {
    let all = 0..world.members.len();
    let awake: Vec<usize> =
        all.filter(|&i| world.members[i].alive && !world.members[i].asleep).collect();
    let hosts: Vec<usize> =
        awake.iter().copied().filter(|&i| world.members[i].room.is_some()).collect();
    let pool = if !hosts.is_empty() && world.chance(0.7) { &hosts } else { &awake };
    if awake.len() > 1 { world.rng.choice(pool.iter().copied()) } else { None }
}

fn hit(world: &mut World, blow: Blow) {
    if blow == Blow::Split {
        return split(world);
    }
    let Some(i) = victim(world) else { return };
    let member = &world.members[i];
    let (is_host, has_trap) = (member.room.is_some(), member.trap.is_some());
    if is_host && blow == Blow::Power && !has_trap && world.chance(0.5) {
        world.members[i].trap = Some(Box::new(move |world| {
            watch(world);
            world.cut_power(i);
            come_back(world, i, (0.5, 8.0));
        }));
        return;
    }
    if is_host && blow != Blow::Sleep {
        watch(world);
    }
    match blow {
        Blow::Crash | Blow::Leave => world.crash(i),
        Blow::Power => world.cut_power(i),
        Blow::Sleep => {
            world.sleep(i);
            let delay = world.uniform(1.0, 25.0);
            world.later(delay, move |world| world.wake(i));
        }
        Blow::Split => unreachable!("it is done"),
    }
    if matches!(blow, Blow::Crash | Blow::Power) {
        come_back(world, i, (0.01, 4.0));
    }
    // And at once the next.
    if world.chance(0.25) {
        let delay = world.uniform(0.001, 1.0);
        world.later(delay, move |world| hit(world, blow));
    }
}

/// Some start their program again.
fn come_back(world: &mut World, i: usize, (from, to): (f64, f64)) {
    if world.chance(0.3) {
        let delay = world.uniform(from, to);
        world.later(delay, move |world| {
            if !world.members[i].alive {
                world.start(i);
            }
        });
    }
}

fn split(world: &mut World) {
    for i in 0..world.sides.len() {
        world.sides[i] = world.rng.bool();
    }
    world.disturbed();
    let delay = world.uniform(1.0, 20.0);
    world.later(delay, |world| {
        world.sides.fill(false);
        world.disturbed();
    });
}

/// Measures how long it takes until the others are with one host again.
fn watch(world: &mut World) {
    let since = world.now;
    let stays =
        |member: &Member| member.alive && member.state == State::Member && member.room.is_none();
    let stay: Vec<usize> = (0..world.members.len()).filter(|&i| stays(&world.members[i])).collect();
    world.later(0.03, move |world| look(world, since, stay));
}

fn look(world: &mut World, since: f64, stay: Vec<usize>) {
    let host = |i: &usize| {
        let member = &world.members[*i];
        let connection = &world.connections[member.connection?];
        let host = connection.ends[1];
        let there = world.members[host].room.is_some()
            && world.members[host].life == connection.lives[1]
            && member.state == State::Member;
        there.then_some(host)
    };
    let mut hosts = stay.iter().filter(|i| world.members[**i].alive).map(host).peekable();
    let first = hosts.peek().copied().flatten();
    let together = first.is_some() && hosts.all(|host| host == first);
    if together {
        world.notes.gaps.push(world.now - since);
    } else if world.now - since < 30.0 {
        world.later(0.01, move |world| look(world, since, stay));
    }
}

fn judge(world: &World, kind: Kind) -> Result {
    let mut faults = Vec::new();
    let members = || world.members.iter().enumerate();
    let alive = || members().filter(|(_, member)| member.alive);
    let hosts: Vec<usize> =
        alive().filter(|(_, member)| member.room.is_some()).map(|(i, _)| i).collect();
    let reachable = alive().any(|(_, member)| !member.firewall);
    if hosts.len() != 1 && alive().count() > 0 && (reachable || alive().count() == 1) {
        faults.push(format!("hosts: {hosts:?}"));
    }
    if let [host] = hosts[..]
        && !world.members[host].firewall
    {
        let is_there = |member: &Member| member.state == State::Member && member.host == Some(host);
        let strays: Vec<usize> =
            alive().filter(|(_, member)| !is_there(member)).map(|(i, _)| i).collect();
        if !strays.is_empty() {
            faults.push(format!("not in the room: {strays:?}"));
        }
    }
    let twice: usize =
        alive().map(|(_, member)| member.shown.values().filter(|count| **count > 1).count()).sum();
    if twice > 0 {
        faults.push(format!("{twice} lines shown twice"));
    }
    let clean: Vec<&Member> =
        alive().map(|(_, member)| member).filter(|member| !member.failed).collect();
    let mut lost = 0;
    for &(when, i, life, number, room) in &world.log {
        let sender = &world.members[i];
        if !sender.alive || sender.failed || sender.life != life {
            continue;
        }
        let lacks = |reader: &&&Member| {
            let there = reader.joined.is_some_and(|(at, since)| at.0 == room && since < when);
            there && reader.shown.get(&(i, life, number)) != Some(&1)
        };
        lost += clean.iter().filter(lacks).count();
    }
    let mut swapped = 0;
    for reader in &clean {
        let mut last = BTreeMap::new();
        for &(i, life, number) in &reader.order {
            let last = last.entry((i, life)).or_insert(0);
            swapped += u32::from(number < *last);
            *last = number.max(*last);
        }
    }
    if matches!(kind, Kind::Quiet | Kind::Crash | Kind::Firewall) {
        if lost > 0 && !world.notes.walled {
            faults.push(format!("{lost} lines lost"));
        }
        if swapped > 0 {
            faults.push(format!("{swapped} lines out of order"));
        }
    }
    let gaps = world.notes.gaps.clone();
    let (openings, doubles) = (world.openings, world.doubles);
    Result { faults, lines: world.log.len(), gaps, openings, doubles }
}
