//! Hosted rooms outlive their hosts.

use std::time::{Duration, Instant};

use super::{Host, Lan, on_a_lan};
use crate::browser::{self, Browser, PHONE};
use crate::harness::{GREETING, Peer};
use crate::tty::{Tty, last};

/// A takeover that takes tens of milliseconds may take this on a machine that has other
/// things to do, in a debug build.
const TAKEN_OVER: Duration = Duration::from_secs(8);
/// The same after a host that vanished without a word: it is noticed after 5 s.
const NOTICED: Duration = Duration::from_secs(20);

/// A member at a terminal.
struct Member {
    nick: &'static str,
    tty: Tty,
    said: u32,
}

impl Member {
    /// Joins the room there, or opens it.
    #[track_caller]
    fn enters(host: &Host, nick: &'static str, options: &[&str]) -> Member {
        let tty = host.terminal(&[options, &["--nick", nick]].concat());
        let prompt = format!("{nick}>");
        tty.wait("the prompt", |screen| last(screen) == prompt);
        Member { nick, tty, said: 0 }
    }

    /// Types the next numbered line.
    fn says(&mut self) {
        self.said += 1;
        self.tty.enters(format!("linha {}!", self.said));
    }

    /// Waits until the last line of another member is shown.
    #[track_caller]
    fn sees(&self, other: &Member, limit: Duration) {
        let line = format!(" {}  linha {}!", other.nick, other.said);
        self.tty.wait_within(limit, &line, |screen| screen.contains(&line));
    }

    /// Whether it was shown each line of another one once, and in order.
    #[track_caller]
    fn has_all(&self, other: &Member) {
        let begin = format!(" {}  linha ", other.nick);
        let lines = self.tty.lines();
        let numbers: Vec<u32> = lines
            .iter()
            .filter_map(|line| line.split_once(&begin)?.1.strip_suffix('!')?.parse().ok())
            .collect();
        let all: Vec<u32> = (1..=other.said).collect();
        assert_eq!(numbers, all, "{} of {}: {lines:#?}", self.nick, other.nick);
    }
}

/// Waits until so many members can go on with the room of a host, as its own client is told.
#[track_caller]
fn has_heirs(host: &Host, count: usize) {
    let mut peer = host.inside(|| Peer::connect("127.0.0.1:9000".parse().expect("it is one")));
    peer.reads(GREETING);
    peer.says("CAP heirs");
    peer.says("NICK fiscal");
    let begun = Instant::now();
    while !is_list(&peer.line(), count) {
        assert!(begun.elapsed() < TAKEN_OVER, "{count} heirs are told");
    }
    peer.says("QUIT");
    peer.skips_to("BYE");
}

/// Whether a line tells so many heirs.
fn is_list(line: &str, count: usize) -> bool {
    line.starts_with("Next:") && line.matches('@').count() == count
}

/// A room of ana's with these members, of which `heirs` can be the next host.
fn room(lan: &Lan, heirs: usize, options: &[(&'static str, &[&str])]) -> Vec<Member> {
    let mut members = vec![Member::enters(lan.host(1), "ana", &["--host"])];
    for (number, (nick, options)) in (2..).zip(options) {
        let member = Member::enters(lan.host(number), nick, options);
        let joined = format!("+ {nick} joined");
        members[0].tty.wait("the member", |screen| screen.contains(&joined));
        members.push(member);
    }
    has_heirs(lan.host(1), heirs);
    members
}

/// All say a line and see those of all.
#[track_caller]
fn all_talk(members: &mut [Member], limit: Duration) {
    members.iter_mut().for_each(Member::says);
    for reader in &*members {
        for sender in &*members {
            reader.sees(sender, limit);
        }
    }
}

#[track_caller]
fn all_have_all(members: &[Member]) {
    for reader in members {
        for sender in members {
            reader.has_all(sender);
        }
    }
}

#[test]
fn room_goes_on_when_its_host_is_killed() {
    on_a_lan(3, |lan| {
        let mut members = room(lan, 2, &[("bia", &[]), ("rui", &[])]);
        all_talk(&mut members, TAKEN_OVER);
        let ana = members.remove(0);
        ana.tty.process.signal("KILL");
        // Lines that nobody hears are said to the next host.
        all_talk(&mut members, TAKEN_OVER);
        all_have_all(&members);
        let screens: Vec<String> = members.iter().map(|member| member.tty.screen()).collect();
        let shown = |text| screens.iter().filter(|screen| screen.contains(text)).count();
        assert_eq!(shown("You hold the room now"), 1, "{screens:#?}");
        assert_eq!(shown("The room is on another machine now"), 1, "{screens:#?}");
        assert_eq!(shown("connection lost"), 0, "{screens:#?}");

        // A newcomer finds the room there, and is told what was said.
        let newcomer = Member::enters(lan.host(1), "eva", &[]);
        newcomer.tty.wait("the past", |screen| screen.contains("bia  linha 1!"));
        for member in &members {
            member.tty.wait("eva", |screen| screen.contains("+ eva joined"));
        }
        members.push(newcomer);
        all_talk(&mut members, TAKEN_OVER);
    });
}

#[test]
fn room_goes_on_when_its_host_leaves() {
    on_a_lan(3, |lan| {
        let mut members = room(lan, 1, &[("bia", &[]), ("rui", &["--no-host"])]);
        let mut nc = lan.host(3).inside(|| Peer::connect("10.77.0.1:9000".parse().unwrap()));
        nc.reads(GREETING);
        nc.says("NICK nc");
        nc.skips_to("OK welcome nc");
        all_talk(&mut members, TAKEN_OVER);
        let mut ana = members.remove(0);
        ana.tty.send("/quit\r");
        nc.skips_to("FROM server [all]: the room goes on at 10.77.0.2:9000");
        nc.skips_to("BYE");
        assert_eq!(ana.tty.wait_exit(), Some(0));
        all_talk(&mut members, TAKEN_OVER);
        all_have_all(&members);
        members[0].tty.wait("the note", |screen| screen.contains("You hold the room now"));
    });
}

#[test]
fn room_goes_on_when_the_cable_of_its_host_is_pulled() {
    on_a_lan(3, |lan| {
        let mut members = room(lan, 2, &[("bia", &[]), ("rui", &[])]);
        all_talk(&mut members, TAKEN_OVER);
        lan.cable(1, "down");
        drop(members.remove(0));
        // These lines are under way when the host vanishes.
        all_talk(&mut members, NOTICED);
        all_have_all(&members);
    });
}

#[test]
fn member_behind_a_firewall_is_never_the_next_host() {
    on_a_lan(3, |lan| {
        lan.host(2).nft(
            "table inet wall { chain input { type filter hook input priority 0; policy accept;\n\
             iif lo accept\n ct state established,related accept\n meta l4proto tcp drop\n }\n }\n",
        );
        let mut members = room(lan, 1, &[("bia", &[]), ("rui", &[])]);
        members.remove(0).tty.process.signal("KILL");
        all_talk(&mut members, TAKEN_OVER);
        let rui = &members[1].tty;
        rui.wait("the note", |screen| screen.contains("You hold the room now"));
        all_have_all(&members);
    });
}

/// Kills whichever member hosts, again and again, and prints how long the others need.
#[test]
#[ignore = "takes minutes; run it in a release build"]
fn twenty_hosts_are_killed() {
    let mut times = Vec::new();
    while times.len() < 20 {
        on_a_lan(5, |lan| {
            let options: &[&str] = &[];
            let others = ["bia", "rui", "eva", "joao"].map(|nick| (nick, options));
            let mut members = room(lan, 4, &others);
            all_talk(&mut members, TAKEN_OVER);
            let mut machines = vec![1, 2, 3, 4, 5];
            let mut host = 0;
            while members.len() > 2 {
                has_heirs(lan.host(machines[host]), members.len() - 1);
                machines.remove(host);
                members.remove(host).tty.process.signal("KILL");
                let killed = Instant::now();
                all_talk(&mut members, TAKEN_OVER);
                times.push(killed.elapsed());
                all_have_all(&members);
                let holds = |member: &Member| member.tty.screen().contains("You hold the room");
                host = members.iter().position(holds).expect("one is the host");
            }
        });
    }
    times.sort();
    println!("all talk again: p50 {:?}, max {:?}", times[times.len() / 2], times.last());
    assert!(times.last().is_some_and(|longest| *longest < Duration::from_secs(1)), "{times:?}");
}

#[test]
fn page_goes_along_when_the_host_is_killed() {
    if !browser::is_there() {
        return;
    }
    on_a_lan(3, |lan| {
        let members = room(lan, 1, &[("bia", &[])]);
        lan.host(3).inside(move || {
            let [ana, bia] = &members[..] else { panic!("two members") };
            let browser = Browser::start();
            let page = browser.window(PHONE);
            page.open("http://10.77.0.1:9080/");
            page.join("Caio");
            page.is_in();
            page.says("um");
            bia.tty.wait("the line", |screen| screen.contains("Caio  um"));
            ana.tty.process.signal("KILL");
            page.shows("A sala está em outra máquina agora: http://10.77.0.2:9080/");
            page.says("dois");
            bia.tty.wait("the line", |screen| screen.contains("Caio  dois"));
            bia.tty.enters("oi, Caio");
            page.shows("oi, Caio");
            let texts = page.texts();
            assert!(texts.iter().any(|text| text == "Você voltou."), "{texts:#?}");
            let own = page.eval("document.querySelectorAll('.own').length");
            assert_eq!(own, 2, "{texts:#?}");
        });
    });
}
