//! The workloads: how a chat is measured, and how that is told.

use std::num::NonZero;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::generator::{Crowd, Talk};
use crate::report::{self, Chart, Table, grouped, nanoseconds, rate};
use crate::servers::{Kind, Server};

/// One thing that a crowd does on a new server.
#[derive(Clone, Copy, Debug)]
struct Run {
    people: usize,
    act: Act,
    cores: Cores,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// Some talk, all listen.
    Talk(Talk),
    /// Two and two tell each other something, in turn.
    Whisper,
    /// All connect, and read the arrivals.
    Join,
}

/// Where the server and the crowd may run.
#[derive(Clone, Copy, Debug)]
enum Cores {
    /// On one core together. No thread is woken from sleep and nothing moves between
    /// caches, so this is the steadiest measure of work.
    One,
    /// Wherever the system likes: this is how long it takes.
    All,
}

/// The measurements of one run.
#[derive(Clone, Copy, Default)]
struct Figures {
    /// Nanoseconds of work for each delivery.
    cost: f64,
    /// Deliveries a second.
    rate: f64,
    /// Microseconds that half, and 99 of 100, lines take at most.
    delay: [f64; 2],
    /// Bytes of memory for each connection.
    memory: f64,
}

/// How much is measured.
struct Scale {
    /// How often each run is repeated: where figures are compared, where they make a curve,
    /// and where they are compared with what is nearly the same.
    rounds: [usize; 3],
    people: usize,
    lasting: Duration,
}

/// Enough to be believed, and still no more than a few minutes.
const FULL: Scale =
    Scale { rounds: [5, 3, 15], people: usize::MAX, lasting: Duration::from_millis(300) };
/// Enough to see that it works.
const SMALL: Scale = Scale { rounds: [1, 1, 1], people: 16, lasting: Duration::from_millis(5) };

const FULL_SPEED: Talk = Talk { speakers: 4, window: 64, size: 64, every: None };

/// The kind of talk in a room, by a name to ask for it.
const ROOMS: [(&str, &str, usize, Act); 8] = [
    ("fan10", "10 people, 4 talk without pause", 10, Act::Talk(FULL_SPEED)),
    ("fan100", "100 people, 4 talk without pause", 100, Act::Talk(FULL_SPEED)),
    ("fan1000", "1,000 people, 4 talk without pause", 1000, Act::Talk(FULL_SPEED)),
    ("chat100", "100 people, all talk, each waits for its echo", 100, taking_turns(100, 64)),
    ("turn100", "100 people, one talks and waits for its echo", 100, taking_turns(1, 64)),
    ("dm2", "2 people, private lines to and fro", 2, Act::Whisper),
    ("dm100", "100 people, private lines in 50 pairs", 100, Act::Whisper),
    ("join1000", "1,000 people come, all there are told", 1000, Act::Join),
];

const fn taking_turns(speakers: usize, size: usize) -> Act {
    Act::Talk(Talk { speakers, window: 1, size, every: None })
}

const fn every(millis: u64) -> Act {
    let every = Some(Duration::from_millis(millis));
    Act::Talk(Talk { speakers: 1, window: 0, size: 64, every })
}

/// How long one line takes to reach everybody where few are said.
const DELAYS: [(&str, &str, usize, Act); 2] = [
    ("delay100", "100 people, 100 lines a second", 100, every(10)),
    ("delay1000", "1,000 people, 20 lines a second", 1000, every(50)),
];

/// The cost of a line for a browser, beside the cost for any other client.
const BROWSERS: [(&str, &str, usize, Act); 3] = [
    ("web100", "100 people, 4 talk without pause", 100, Act::Talk(FULL_SPEED)),
    ("web1000", "1,000 people, 4 talk without pause", 1000, Act::Talk(FULL_SPEED)),
    ("web5000", "5,000 people, 4 talk without pause", 5000, Act::Talk(FULL_SPEED)),
];

/// The cost of a line for an encrypted client, beside the cost for one in the clear.
const ENCRYPTED: [(&str, &str, usize, Act); 4] = [
    ("secret100", "100 people, 4 talk without pause", 100, Act::Talk(FULL_SPEED)),
    ("secret1000", "1,000 people, 4 talk without pause", 1000, Act::Talk(FULL_SPEED)),
    ("secretchat", "100 people, all talk, each waits for its echo", 100, taking_turns(100, 64)),
    ("secretturn", "100 people, one talks and waits for its echo", 100, taking_turns(1, 64)),
];

/// The cost of a line at one of two servers that are one room, beside a server alone.
const SHARED: [(&str, &str, usize, Act); 3] = [
    ("shared100", "100 people, 4 talk without pause", 100, Act::Talk(FULL_SPEED)),
    ("shared1000", "1,000 people, 4 talk without pause", 1000, Act::Talk(FULL_SPEED)),
    ("shareddelay", "12 people, 100 lines a second", 12, every(10)),
];

/// The parameter that changes while the rest stays the same.
struct Sweep {
    name: &'static str,
    /// The meaning of the numbers, and the conditions that stay the same.
    what: &'static str,
    rest: &'static str,
    points: &'static [usize],
    ticks: &'static [(usize, &'static str)],
    run: fn(usize) -> (usize, Act),
}

const SWEEPS: [Sweep; 3] = [
    Sweep {
        name: "people",
        what: "people in the room",
        rest: "4 talk without pause, 64 bytes a text",
        points: &[10, 30, 100, 300, 1000, 3000, 10_000, 15_000],
        ticks: &[(10, "10"), (100, "100"), (1000, "1,000"), (10_000, "10,000")],
        run: |people| (people, Act::Talk(FULL_SPEED)),
    },
    Sweep {
        name: "length",
        what: "bytes of text in a line",
        rest: "100 people, 4 talk without pause",
        // The longest line that a client may send is 4 KiB, with all that belongs to it.
        points: &[16, 64, 256, 1024, 4091],
        ticks: &[(16, "16"), (64, "64"), (256, "256"), (1024, "1,024"), (4096, "4,096")],
        run: |size| (100, Act::Talk(Talk { size, ..FULL_SPEED })),
    },
    Sweep {
        name: "speakers",
        what: "people who talk",
        rest: "1,000 people, each waits for its echo",
        points: &[1, 3, 10, 30, 100, 300, 1000],
        ticks: &[(1, "1"), (10, "10"), (100, "100"), (1000, "1,000")],
        run: |speakers| (1000, taking_turns(speakers, 64)),
    },
];

/// Of the rooms, what the README tells.
const SUMMARY: [&str; 5] = ["fan100", "fan1000", "chat100", "turn100", "dm100"];

/// How many descriptors are not for clients, in the server and here.
const SPARE: u64 = 100;

pub fn main() {
    let options: Vec<String> = env::args().skip(1).collect();
    let asked = |option| options.iter().any(|given| given == option);
    if asked("--list") {
        return; // It is no collection of tests.
    }
    let (full, write) = (asked("--bench"), asked("--write"));
    let only = options.into_iter().filter(|option| !option.starts_with("--")).collect();
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).expect("there is a limit");
    let bench = Bench {
        kinds: Kind::installed(),
        only,
        scale: if full { FULL } else { SMALL },
        places: usize::try_from(descriptors.saturating_sub(SPARE)).unwrap_or(usize::MAX),
    };
    assert!(!write || bench.kinds.len() == 2, "to write what is published, install redis-server");

    let [rooms, summary] = bench.rooms();
    let tables = [rooms, bench.delays()].into_iter().map(|table| table.to_string());
    let (growth, picture) = bench.growth();
    let tables = tables.chain(growth).filter(|table| !table.is_empty());
    let text = [machine()].into_iter().chain(tables).collect::<Vec<String>>().join("\n");
    let beside = [(&BROWSERS[..], Kind::Web), (&ENCRYPTED, Kind::Secure)];
    let beside = beside.map(|(rooms, kind)| bench.beside(rooms, kind).to_string());
    let beside = beside.into_iter().filter(|table| !table.is_empty());
    let beside = beside.collect::<Vec<String>>().join("\n");
    let shared = bench.shared();
    if full {
        print!("{text}\n{beside}\n{shared}");
    }
    if write {
        report::write("docs/performance.svg", &picture);
        report::replace("docs/performance.md", &text);
        report::replace("README.md", &summary.to_string());
    }
}

/// Where this was measured, and beside what.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or("an unnamed CPU", |(_, name)| name);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = system.split('-').next().unwrap_or_default().trim();
    let version = Command::new("redis-server").arg("--version").output();
    let version = version.map_or(Vec::new(), |output| output.stdout);
    let version = String::from_utf8_lossy(&version);
    let version = version.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let version = version.map_or("no Redis".to_string(), |version| format!("Redis {version}"));
    format!("Measured on {cores} cores of {name}, Linux {system}, {version}.\n")
}

struct Bench {
    kinds: Vec<Kind>,
    only: Vec<String>,
    scale: Scale,
    /// How many clients there may be.
    places: usize,
}

impl Bench {
    /// The cost of hearing a line, and the part that a reader in a hurry wants.
    fn rooms(&self) -> [Table; 2] {
        let rooms: Vec<_> = ROOMS.iter().filter(|room| self.is_asked(room.0)).collect();
        let measure = |cores| {
            let runs = rooms.iter().map(|&&(_, _, people, act)| Run { people, act, cores });
            self.measure(&self.kinds, self.scale.rounds[0], runs)
        };
        let (one, all) = (measure(Cores::One), measure(Cores::All));
        let head = ["CPU time to deliver one line", "Redis needs"].map(String::from);
        let mut summary = Table::new(head.into());
        let mut table = Table::new(self.head("in the room", &["CPU time", "deliveries/s"]));
        for ((room, one), all) in rooms.into_iter().zip(one).zip(all) {
            let costs = one.iter().map(|figures| nanoseconds(figures.cost));
            let rates = all.iter().map(|figures| rate(figures.rate));
            table.row([room.1.to_string()].into_iter().chain(costs).chain(rates));
            if let (true, [ours, theirs]) = (SUMMARY.contains(&room.0), &one[..]) {
                let times = format!("{:.1} times as much", theirs.cost / ours.cost);
                summary.row([room.1.to_string(), times]);
            }
        }
        [table, summary]
    }

    /// How long a line is on its way.
    fn delays(&self) -> Table {
        let rooms: Vec<_> = DELAYS.iter().filter(|room| self.is_asked(room.0)).collect();
        let runs = rooms.iter().map(|room| Run { people: room.2, act: room.3, cores: Cores::All });
        let figures = self.measure(&self.kinds, self.scale.rounds[0], runs);
        let mut table =
            Table::new(self.head("in the room", &["median delay", "delay of 99 in 100"]));
        for (room, figures) in rooms.into_iter().zip(figures) {
            let delays = [0, 1].map(|which| figures.iter().map(move |of| of.delay[which]));
            let delays = delays.into_iter().flatten().map(|delay| nanoseconds(1e3 * delay));
            table.row([room.1.to_string()].into_iter().chain(delays));
        }
        table
    }

    /// How the cost grows, in tables and in a picture.
    fn growth(&self) -> (Vec<String>, String) {
        let (mut tables, mut charts) = (Vec::new(), Vec::new());
        for sweep in SWEEPS.iter().filter(|sweep| self.is_asked(sweep.name)) {
            let points = sweep.points.iter().copied();
            let points: Vec<usize> = points
                .filter(|&point| (sweep.run)(point).0.min(self.scale.people) <= self.places)
                .collect();
            let runs = points.iter().map(|&point| {
                let (people, act) = (sweep.run)(point);
                Run { people, act, cores: Cores::One }
            });
            let figures = self.measure(&self.kinds, self.scale.rounds[1], runs);
            let crowds = sweep.name == "people";
            let columns = ["CPU time", "memory for each"];
            let columns = if crowds { &columns[..] } else { &columns[..1] };
            let mut table = Table::new(self.head(sweep.what, columns));
            for (&point, figures) in points.iter().zip(&figures) {
                let costs = figures.iter().map(|figures| nanoseconds(figures.cost));
                let memories =
                    figures.iter().filter(|_| crowds).map(|figures| memory(point, figures));
                table.row([grouped(point)].into_iter().chain(costs).chain(memories));
            }
            tables
                .push(format!("How it grows with the {}: {}.\n\n{table}", sweep.what, sweep.rest));
            let line = |(index, kind): (usize, &Kind)| {
                let costs = figures.iter().map(|figures| figures[index].cost);
                (kind.name(), points.iter().map(|&point| point as f64).zip(costs).collect())
            };
            charts.push(Chart {
                what: sweep.what,
                rest: sweep.rest,
                ticks: sweep.ticks,
                lines: self.kinds.iter().enumerate().map(line).collect(),
            });
        }
        (tables, report::picture(&charts))
    }

    fn is_asked(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(&**only))
    }

    /// A column for each measure of each server.
    fn head(&self, first: &str, measures: &[&str]) -> Vec<String> {
        let measured = measures.iter().flat_map(|measure| {
            self.kinds.iter().map(move |kind| format!("{measure}, {}", kind.name()))
        });
        [first.to_string()].into_iter().chain(measured).collect()
    }

    /// The extra cost if the clients are of another kind.
    fn beside(&self, rooms: &[(&str, &str, usize, Act)], kind: Kind) -> Table {
        let kinds = [Kind::Minichat, kind];
        let rooms: Vec<_> = rooms.iter().filter(|room| self.is_asked(room.0)).collect();
        let runs = rooms.iter().map(|room| Run { people: room.2, act: room.3, cores: Cores::One });
        let figures = self.measure(&kinds, self.scale.rounds[2], runs);
        let named = |measure| [format!("{measure}, TCP"), format!("{measure}, {}", kind.name())];
        let columns =
            [&named("CPU time")[..], &["times as much".into()], &named("memory for each")];
        let head = [&["in the room".to_string()][..], &columns.concat()].concat();
        let mut table = Table::new(head);
        for (room, figures) in rooms.into_iter().zip(figures) {
            let costs = figures.iter().map(|figures| nanoseconds(figures.cost));
            let times = [format!("{:.2}", figures[1].cost / figures[0].cost)];
            let memories = figures.iter().map(|figures| memory(room.2, figures));
            table.row([room.1.to_string()].into_iter().chain(costs).chain(times).chain(memories));
        }
        table
    }

    /// The extra cost of a room on two servers.
    fn shared(&self) -> Table {
        let columns = ["CPU time, alone", "CPU time, one of two", "times as much"];
        let columns =
            columns.into_iter().chain(["median delay, alone", "median delay, one of two"]);
        let mut table =
            Table::new(["in the room"].into_iter().chain(columns).map(String::from).collect());
        if !self.kinds.contains(&Kind::Redis) {
            return table;
        }
        let kinds = [Kind::Minichat, Kind::Shared];
        let rooms: Vec<_> = SHARED.iter().filter(|room| self.is_asked(room.0)).collect();
        let runs = |cores| {
            let runs = rooms.iter().map(move |room| Run { people: room.2, act: room.3, cores });
            self.measure(&kinds, self.scale.rounds[0], runs)
        };
        let (one, all) = (runs(Cores::One), runs(Cores::All));
        for ((room, one), all) in rooms.iter().zip(one).zip(all) {
            let costs = one.iter().map(|figures| nanoseconds(figures.cost));
            let times = [format!("{:.2}", one[1].cost / one[0].cost)];
            // Where many talk without pause, lines wait for each other.
            let delays = all.iter().map(|figures| match figures.delay[0] {
                0.0 => String::new(),
                delay => nanoseconds(1e3 * delay),
            });
            table.row([room.1.to_string()].into_iter().chain(costs).chain(times).chain(delays));
        }
        table
    }

    /// Medians of rounds in which each server has its turn at each run.
    fn measure(
        &self,
        kinds: &[Kind],
        rounds: usize,
        runs: impl Iterator<Item = Run>,
    ) -> Vec<Vec<Figures>> {
        let runs: Vec<Run> = runs.collect();
        let mut all = vec![vec![Vec::new(); kinds.len()]; runs.len()];
        for _ in 0..rounds {
            for (run, all) in runs.iter().zip(&mut all) {
                for (&kind, all) in kinds.iter().zip(all) {
                    all.push(run.measure(kind, &self.scale));
                }
            }
        }
        let median = |rounds: Vec<Figures>| {
            let median = |figure: fn(&Figures) -> f64| {
                let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
                figures.sort_by(f64::total_cmp);
                figures[figures.len() / 2]
            };
            Figures {
                cost: median(|figures| figures.cost),
                rate: median(|figures| figures.rate),
                delay: [median(|figures| figures.delay[0]), median(|figures| figures.delay[1])],
                memory: median(|figures| figures.memory),
            }
        };
        all.into_iter().map(|kinds| kinds.into_iter().map(median).collect()).collect()
    }
}

/// The memory for each person. Of a few, it is what a server has at all.
fn memory(people: usize, figures: &Figures) -> String {
    if people < 1000 { String::new() } else { grouped(figures.memory as usize) + " B" }
}

impl Run {
    fn measure(&self, kind: Kind, scale: &Scale) -> Figures {
        let _run = Told(self, kind);
        let allowed = sched_getaffinity(None).expect("the system tells where it may run");
        if let Cores::One = self.cores {
            let mut one = CpuSet::new();
            one.set((0..CpuSet::MAX_CPU).rfind(|&core| allowed.is_set(core)).expect("somewhere"));
            sched_setaffinity(None, &one).expect("a part of what is allowed is allowed");
        }
        let server = Server::start(kind);
        let people = self.people.min(scale.people);
        let before = server.memory();
        let mut crowd = Crowd::connect(&server, people);
        let mut worked = server.worked();
        let comes = matches!(self.act, Act::Join);
        let mut heard = crowd.join(comes);
        let memory = server.memory().saturating_sub(before);
        if !comes {
            worked = server.worked();
        }
        match self.act {
            Act::Talk(talk) => {
                let speakers = talk.speakers.min(people);
                // Delays are of few lines, so more of them are waited for.
                let times = if talk.every.is_some() { 3 } else { 1 };
                heard = crowd.talk(&Talk { speakers, ..talk }, times * scale.lasting);
            }
            Act::Whisper => heard = crowd.whisper(64, scale.lasting),
            Act::Join => (),
        }
        let worked = server.worked() - worked;
        drop(server); // Before the crowd, or it would have to tell who leaves.
        sched_setaffinity(None, &allowed).expect("what was allowed is allowed");

        heard.delays.sort();
        let late = |part: f64| {
            let at = (heard.delays.len() as f64 * part) as usize;
            heard.delays.get(at).map_or(0.0, |delay| delay.as_secs_f64() * 1e6)
        };
        let deliveries = heard.deliveries as f64;
        Figures {
            cost: worked.as_secs_f64() * 1e9 / deliveries,
            rate: deliveries / heard.took.as_secs_f64(),
            delay: [late(0.5), late(0.99)],
            memory: memory as f64 / people as f64,
        }
    }
}

/// Says in the end what went wrong, if it did.
struct Told<'a>(&'a Run, Kind);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this was {} and {:?}", self.1.name(), self.0);
        }
    }
}
