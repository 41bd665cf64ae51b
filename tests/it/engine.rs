//! One room on several servers: with a real engine, and with real ways for things to die.
//!
//! Each row of the table "When something dies" in `docs/engine.md` is a test, over a Unix
//! socket and over TCP.

mod many;
mod people;
mod process;

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use crate::channel::Tunnel;
use crate::harness::{PATIENCE, Running, Server, minichat};
use crate::script::sessions;
use crate::sessions::{is_encrypted, play};
use crate::websocket::Bridge;
use people::{Person, check, check_calm, gather, public, talk_during};
use process::{Engine, KINDS, Kind, Place, Way, programs};

/// How long members of a server that is gone may be seen. It is 5 s, on an idle machine.
const GONE: Duration = Duration::from_secs(40);
/// The line about others that cannot be reached.
const CUT: &str =
    "FROM server [all]: the other servers cannot be reached; what you say waits until they can";
/// The line about others that can be reached again.
const MENDED: &str = "FROM server [all]: the servers of this room are together again";
/// The line to a member whose nick was taken meanwhile.
const TAKEN: &str = "FROM server [dm]: somebody else took your nick while this server was cut off";

/// A server in the room at this place.
#[track_caller]
fn server_at(place: &Place) -> Server {
    server_with(place, &[])
}

#[track_caller]
fn server_with(place: &Place, options: &[&str]) -> Server {
    let url = place.url("sala3");
    Server::start(&[&["--engine", &url, "--rate", "0"], options].concat())
}

/// Four people at each of these servers.
#[track_caller]
fn four_at_each(servers: &[&Server]) -> Vec<Person> {
    let homes = (0..4).flat_map(|_| 0..servers.len());
    let mut people: Vec<Person> =
        homes.map(|home| Person::new(&servers[home].connect(), home)).collect();
    gather(&mut people);
    people
}

/// Plays a test with each engine that is installed, over both kinds of sockets at once.
#[track_caller]
fn with_engines(durable: bool, play: impl Fn(Engine) + Sync) {
    for program in programs() {
        thread::scope(|scope| {
            for kind in KINDS {
                let play = &play;
                scope.spawn(move || play(Engine::start(program, kind, durable)));
            }
        });
    }
}

#[test]
fn three_servers_are_one_room() {
    with_engines(true, |engine| {
        let servers: Vec<Server> = (0..3).map(|_| server_at(&engine.place)).collect();
        let people = four_at_each(&servers.iter().collect::<Vec<_>>());
        let number = talk_during(&people, 100, || ());
        check(&people, number, true);
        check_calm(&people);
        let lists: BTreeSet<Vec<String>> = people.iter().map(Person::list).collect();
        assert_eq!(lists.len(), 1, "all read the same list");
        assert_eq!(lists.first().map(Vec::len), Some(12));
        // A rename is seen everywhere, and a leave as well.
        people[0].says("NICK another");
        people[0].finds("OK welcome another");
        people[1].finds("User another joined.");
        people[2].says("QUIT");
        people[2].ends();
        people[0].finds(&format!("User {} left the chat.", people[2].nick));
    });
}

#[test]
fn thousand_claims_of_one_nick_have_one_winner() {
    let spellings = ["João", "joa\u{303}o", "JOÃO", "ｊoão"];
    with_engines(false, |engine| {
        let servers: Vec<Server> =
            (0..3).map(|_| server_with(&engine.place, &["--max-users", "0"])).collect();
        let people: Vec<Person> =
            (0..1000).map(|n| Person::new(&servers[n % 3].connect(), n % 3)).collect();
        for (n, person) in people.iter().enumerate() {
            person.says(&format!("NICK {}", spellings[n % 4]));
        }
        let mut won = 0;
        for person in &people {
            let answered =
                |line: &String| line.starts_with("OK welcome") || line.starts_with("ERR");
            let lines = person.until(2 * PATIENCE, |lines| lines.iter().any(answered));
            let answer = lines.iter().find(|line| answered(line)).expect("it was found");
            won += usize::from(answer.starts_with("OK welcome"));
            assert!(answer.starts_with("OK") || answer == "ERR apelido_em_uso", "{answer}");
        }
        assert_eq!(won, 1);
    });
}

#[test]
fn server_that_dies_takes_its_members_along() {
    with_engines(true, |engine| {
        let mut servers: Vec<Server> = (0..3).map(|_| server_at(&engine.place)).collect();
        let people = four_at_each(&servers.iter().collect::<Vec<_>>());
        let dies = servers.pop().expect("there are three");
        let rest: Vec<&Person> = people.iter().filter(|person| person.home != 2).collect();
        let left = |lines: &[String]| {
            lines
                .iter()
                .filter(|line| line.starts_with("User p2x") && line.ends_with(" left the chat."))
                .count()
        };
        let mut begin = Instant::now();
        let number = talk_during(&people, 50, || {
            people[0].until(PATIENCE, |lines| public(lines).len() > 200);
            dies.process.signal("KILL");
            begin = Instant::now();
            people[0].until(GONE, |lines| left(lines) == 4);
        });
        // The others hear all that the living said, and the same beginning of what the dead said.
        let living: BTreeSet<String> = rest
            .iter()
            .flat_map(|person| (0..number).map(|n| format!("FROM {0} [all]: {0} {n}", person.nick)))
            .collect();
        let mut orders = Vec::new();
        for person in &rest {
            let lines = person.until(2 * PATIENCE, |lines| {
                left(lines) == 4
                    && public(lines).iter().filter(|line| living.contains(**line)).count()
                        == living.len()
            });
            let order: Vec<String> = lines
                .iter()
                .filter(|line| line.contains(" [all]: ") || line.starts_with("User "))
                .cloned()
                .collect();
            orders.push(order);
        }
        assert!(orders.iter().all(|order| *order == orders[0]), "there is one order");
        for dead in people.iter().filter(|person| person.home == 2) {
            let begin = format!("FROM {} [all]: ", dead.nick);
            let said: Vec<&String> =
                orders[0].iter().filter(|line| line.starts_with(&begin)).collect();
            for (n, line) in said.iter().enumerate() {
                assert_eq!(**line, format!("{begin}{} {n}", dead.nick));
            }
        }
        let times = rest.iter().flat_map(|person| person.times("User p2x", " left the chat."));
        let longest = times.map(|time| time.duration_since(begin)).max();
        println!("members of a dead server are gone after {longest:?} at the latest");
        // Their nicks are free, also at a server that is new.
        let new = server_at(&engine.place);
        let mut heir = Person::new(&new.connect(), 3);
        heir.registers(&people.iter().find(|person| person.home == 2).expect("some").nick.clone());
    });
}

#[test]
fn server_that_stood_still_joins_again() {
    with_engines(true, |engine| {
        let servers: Vec<Server> = (0..3).map(|_| server_at(&engine.place)).collect();
        let people = four_at_each(&servers.iter().collect::<Vec<_>>());
        let (far, near): (Vec<_>, Vec<_>) = people.iter().partition(|person| person.home == 2);
        servers[2].process.signal("STOP");
        far[0].says("MSG while it stood still");
        let count = |lines: &[String], end: &str| {
            lines.iter().filter(|line| line.starts_with("User p2x") && line.ends_with(end)).count()
        };
        for person in &near {
            person.until(GONE, |lines| count(lines, " left the chat.") == 4);
        }
        let mut thief = Person::new(&servers[0].connect(), 0);
        thief.registers(&far[1].nick.clone());
        near[0].says(&format!("MSG @{} are you there?", far[2].nick));
        near[0].finds("ERR user_not_found");
        servers[2].process.signal("CONT");
        // Of the four, the one whose nick was taken is told so and let go.
        far[1].finds(TAKEN);
        far[1].finds("BYE");
        far[1].ends();
        let stay = [far[0], far[2], far[3]];
        for person in near.iter().chain(&stay) {
            let lines = person.until(PATIENCE, |lines| {
                lines.iter().any(|line| line.ends_with("[all]: while it stood still"))
            });
            let said = lines.iter().filter(|line| line.ends_with("while it stood still")).count();
            assert_eq!(said, 1, "{} hears it once", person.nick);
        }
        for person in &near {
            person.until(PATIENCE, |lines| count(lines, " joined.") >= 4);
        }
        assert_eq!(near[0].list(), far[2].list());
        assert_eq!(near[0].list().len(), 12);
    });
}

/// Cuts the way of one of three servers for so long amid talk.
fn cut_for(engine: &Engine, time: Duration) -> Vec<Person> {
    let way = Way::to(&engine.place);
    let servers = [server_at(&engine.place), server_at(&engine.place), server_at(&way.place)];
    let people = four_at_each(&servers.iter().collect::<Vec<_>>());
    let number = talk_during(&people, 50, || {
        people[0].until(PATIENCE, |lines| public(lines).len() > 200);
        way.pass(false);
        thread::sleep(time);
        way.pass(true);
        let before = public(&people[2].lines()).len();
        people[2].until(GONE, |lines| public(lines).len() > before + 50);
    });
    check(&people, number, true);
    assert_eq!(people[0].list(), people[2].list());
    assert_eq!(people[0].list().len(), 12);
    people
}

#[test]
fn way_that_is_cut_for_a_moment_loses_nothing() {
    with_engines(true, |engine| {
        // The four would be gone 4 s after the last sign of their server.
        check_calm(&cut_for(&engine, Duration::from_secs(2)));
    });
}

#[test]
fn way_that_is_cut_for_long_loses_nothing_public() {
    with_engines(true, |engine| {
        let people = cut_for(&engine, Duration::from_secs(9));
        for person in &people {
            // The four read why they wait. The others see them leave, and come back.
            match person.home {
                2 => drop([person.finds(CUT), person.finds(MENDED)]),
                _ => [" left the chat.", " joined."].iter().for_each(|end| {
                    assert_eq!(person.times("User p2x", end).len(), 4, "{} {end}", person.nick);
                }),
            }
        }
    });
}

/// Kills the engine so often amid talk, and checks what was heard.
fn engine_dies(mut engine: Engine, times: usize, one_order: bool) {
    let servers: Vec<Server> = (0..3).map(|_| server_at(&engine.place)).collect();
    let people = four_at_each(&servers.iter().collect::<Vec<_>>());
    let engine = &mut engine;
    let number = talk_during(&people, 50, || {
        for _ in 0..times {
            let before = public(&people[0].lines()).len();
            people[0].until(2 * PATIENCE, |lines| public(lines).len() > before + 200);
            engine.kill();
            thread::sleep(Duration::from_millis(200)); // It is gone for a moment.
            engine.start_again();
        }
        let before = public(&people[0].lines()).len();
        people[0].until(2 * PATIENCE, |lines| public(lines).len() > before + 50);
    });
    check(&people, number, one_order);
    assert_eq!(people[0].list(), people[11].list());
    assert_eq!(people[0].list().len(), 12);
}

#[test]
fn engine_that_dies_with_its_log_on_disk_loses_nothing() {
    with_engines(true, |engine| engine_dies(engine, 6, true));
}

#[test]
fn engine_that_dies_without_a_disk_loses_no_line() {
    // The order at that moment is not promised.
    with_engines(false, |engine| engine_dies(engine, 6, false));
}

#[test]
fn engine_that_stands_still_loses_nothing() {
    with_engines(true, |engine| {
        let servers: Vec<Server> = (0..3).map(|_| server_at(&engine.place)).collect();
        let people = four_at_each(&servers.iter().collect::<Vec<_>>());
        let number = talk_during(&people, 50, || {
            for millis in [2600, 2600, 2600, 2600, 7000] {
                let before = public(&people[0].lines()).len();
                people[0].until(2 * PATIENCE, |lines| public(lines).len() > before + 100);
                engine.signal("STOP");
                thread::sleep(Duration::from_millis(millis));
                engine.signal("CONT");
            }
            let before = public(&people[0].lines()).len();
            people[0].until(2 * PATIENCE, |lines| public(lines).len() > before + 50);
        });
        check(&people, number, true);
        check_calm(&people);
        for person in &people {
            person.finds(CUT);
            person.finds(MENDED);
        }
    });
}

#[test]
fn replica_that_takes_over_loses_nothing() {
    for program in programs() {
        let mut first = Engine::start(program, Kind::Tcp, true);
        let second = first.replica();
        let way = Way::to(&first.place);
        let servers: Vec<Server> = (0..3).map(|_| server_at(&way.place)).collect();
        let people = four_at_each(&servers.iter().collect::<Vec<_>>());
        // The copy is complete when it has all that was said so far.
        assert_eq!(first.ask(&["WAIT", "1", "20000"]), ":1");
        let first = &mut first;
        let number = talk_during(&people, 50, || {
            people[0].until(PATIENCE, |lines| public(lines).len() > 200);
            first.kill();
            way.lead_to(&second.place);
            assert_eq!(second.ask(&["REPLICAOF", "NO", "ONE"]), "+OK");
            let before = public(&people[0].lines()).len();
            people[0].until(2 * PATIENCE, |lines| public(lines).len() > before + 100);
        });
        // A replica may lag, so the order at that moment is not promised.
        check(&people, number, false);
    }
}

#[test]
fn twenty_servers_notice_that_one_died() {
    let Some(program) = programs().into_iter().next() else { return };
    let engine = Engine::start(program, Kind::Unix, false);
    let mut servers: Vec<Server> = (0..20).map(|_| server_at(&engine.place)).collect();
    let homes = (0..2).flat_map(|_| 0..servers.len());
    let mut people: Vec<Person> =
        homes.map(|home| Person::new(&servers[home].connect(), home)).collect();
    gather(&mut people);
    let number = talk_during(&people, 10, || ());
    check(&people, number, true);
    servers.pop().expect("there are twenty").process.signal("KILL");
    for person in people.iter().filter(|person| person.home != 19) {
        person.until(GONE, |lines| {
            lines
                .iter()
                .filter(|line| line.starts_with("User p19x") && line.ends_with(" left the chat."))
                .count()
                == 2
        });
    }
}

#[test]
fn new_server_has_the_history() {
    with_engines(true, |engine| {
        let old = server_with(&engine.place, &["--history", "5"]);
        let mut ana = Person::new(&old.connect(), 0);
        ana.registers("ana");
        (0..8).for_each(|number| ana.says(&format!("MSG old {number}")));
        ana.finds("old 7");
        let new = server_with(&engine.place, &["--history", "5"]);
        let mut bia = Person::new(&new.connect(), 1);
        bia.registers("bia");
        bia.says("MSG new");
        bia.finds("[all]: new");
        let lines = bia.lines();
        let history: Vec<&String> = lines.iter().filter(|line| line.contains(" old ")).collect();
        let expected: Vec<String> = (3..8).map(|n| format!("FROM ana [all]: old {n}")).collect();
        assert_eq!(history, expected.iter().collect::<Vec<_>>());
        // Both have the same numbers, and a server that is alone has them later, too.
        let last = |server: &Server| {
            let mut peer = server.connect();
            peer.says("CAP history");
            peer.skips_to("Capabilities: history");
            peer.says("NICK asks");
            loop {
                let line = peer.line();
                if line.starts_with("Now: ") {
                    return line;
                }
            }
        };
        let numbers = last(&old);
        ana.finds("User asks left the chat.");
        bia.finds("User asks left the chat.");
        assert_eq!(numbers, last(&new));
        drop((old, new));
        assert_eq!(numbers, last(&server_at(&engine.place)));
    });
}

#[test]
fn sessions_of_the_protocol_happen_across_two_servers() {
    let Some(program) = programs().into_iter().next() else { return };
    for session in &sessions(include_str!("../../protocol.md")) {
        // Each server has a limit of its own for its users.
        if is_encrypted(session) || session.options.contains(&"--max-users") {
            continue;
        }
        let engine = Engine::start(program, Kind::Unix, false);
        let servers = [0, 1].map(|_| {
            let url = engine.url();
            Server::start(&[&["--engine", &url][..], &session.options].concat())
        });
        let count = std::cell::Cell::new(0);
        play(session, || {
            count.set(count.get() + 1);
            servers[count.get() % 2].connect()
        });
    }
}

#[test]
fn people_of_all_kinds_talk_across_servers() {
    with_engines(true, |engine| {
        let mut servers: Vec<Server> = (0..3).map(|_| server_at(&engine.place)).collect();
        let mut people = Vec::new();
        let mut ends = Vec::new();
        for (home, server) in servers.iter_mut().enumerate() {
            let (tunnel, bridge) = (Tunnel::unaware(server.address), Bridge::open(server.page()));
            people.push(Person::new(&server.connect(), home));
            people.push(Person::new(&tunnel.connect(), home));
            people.push(Person::new(&bridge.connect(), home));
            ends.push((tunnel, bridge));
        }
        gather(&mut people);
        let number = talk_during(&people, 50, || ());
        check(&people, number, true);
        check_calm(&people);
    });
}

#[test]
fn engine_that_cannot_be_used_is_named() {
    for (url, reason) in [
        ("redis://127.0.0.1:1/sala3", "127.0.0.1:1"),
        ("unix:///nowhere/at/all?room=sala3", "/nowhere/at/all"),
    ] {
        let mut command = minichat();
        command.args([
            "server",
            "--no-mdns",
            "--port",
            "0",
            "--bind",
            "127.0.0.1",
            "--engine",
            url,
        ]);
        let output = Running::start(command.stdin(std::process::Stdio::null())).output();
        assert_eq!(output.status, Some(1), "{output:?}");
        assert!(output.complaint().0.contains(reason), "{output:?}");
    }
}

#[test]
fn account_with_five_commands_is_enough() {
    for program in programs() {
        let engine = Engine::start(program, Kind::Tcp, true);
        let account = "ACL SETUSER minichat on >secret ~minichat:* resetchannels -@all +xadd +xread +xdel +ping";
        assert_eq!(engine.ask(&account.split(' ').collect::<Vec<_>>()), "+OK");
        assert_eq!(engine.ask(&["ACL", "SETUSER", "default", "off"]), "+OK");
        let Place::Tcp(address) = engine.place else { panic!("it has an address") };
        let url = |user: &str| format!("redis://{user}@{address}/sala3");
        let mut command = minichat();
        command.env("MINICHAT_ENGINE", url("minichat:secret"));
        let servers =
            [Server::launch(command, &[]), Server::start(&["--engine", &url("minichat:secret")])];
        let mut people: Vec<Person> = servers
            .iter()
            .enumerate()
            .map(|(home, one)| Person::new(&one.connect(), home))
            .collect();
        gather(&mut people);
        let mut command = minichat();
        command.args(["server", "--no-mdns", "--port", "0", "--bind", "127.0.0.1"]);
        command.args(["--engine", &url("minichat:wrong")]);
        let output = Running::start(command.stdin(std::process::Stdio::null())).output();
        assert_eq!(output.status, Some(1), "{output:?}");
        assert!(!output.stderr.contains("wrong"), "it tells no password: {output:?}");
        assert!(output.complaint().0.contains(&address.to_string()), "{output:?}");
    }
}

#[test]
#[ignore = "it takes a minute and prints a figure"]
fn idle_engine_with_twenty_servers_costs_little() {
    const IDLE: Duration = Duration::from_secs(20);
    for program in programs() {
        let engine = Engine::start(program, Kind::Tcp, false);
        let servers: Vec<Server> = (0..20).map(|_| server_at(&engine.place)).collect();
        let mut people: Vec<Person> = servers
            .iter()
            .enumerate()
            .map(|(home, server)| Person::new(&server.connect(), home))
            .collect();
        gather(&mut people);
        let work = || {
            let servers: u64 = servers.iter().filter_map(|one| one.process.ticks()).sum();
            (engine.ticks().unwrap_or_default(), servers)
        };
        let before = work();
        thread::sleep(IDLE);
        let after = work();
        let share = |ticks: u64| ticks as f64 / 100.0 / IDLE.as_secs_f64() * 100.0;
        println!(
            "{program}: idle with 20 servers {:.2} % of a core, a server {:.3} %",
            share(after.0 - before.0),
            share(after.1 - before.1) / 20.0
        );
        assert!(share(after.0 - before.0) < 1.0, "the engine is busy");
    }
}
