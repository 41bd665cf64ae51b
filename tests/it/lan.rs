//! Whole programs on a network that the test makes itself.
//!
//! Each test has its own network namespaces: one for each host, and one with the
//! bridge between them. Nothing else is on that network and nothing leaves it.
//! The namespaces have no names: the kernel removes them when the test has let go
//! of them, however it ends.
//!
//! Making them takes an administrator, or a system where users may be one in a
//! namespace of their own: then the test runs itself again in there. Where
//! neither is possible it says so and is skipped, unless `MINICHAT_REQUIRE_LAN`
//! is set.

mod changes;
mod closed;
mod completed;
mod connections;
mod dead;
mod found;
mod hosted;
mod invited;
mod links;
mod names;
mod page;
mod person;
mod picture;
mod strangers;
mod takeover;
mod trouble;
mod visitors;

use std::any::type_name;
use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::resume_unwind;
use std::process::{self, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::harness::{Output, Running, events, minichat, run};

/// Set to 1, a network that cannot be made is a failure.
const REQUIRED: &str = "MINICHAT_REQUIRE_LAN";
/// Set for a test that runs itself again as its own administrator.
const AGAIN: &str = "MINICHAT_LAN_AGAIN";
/// A step that takes about a second may take this in a debug build, on a
/// machine that has other things to do.
const SOON: Duration = Duration::from_secs(8);

/// How a test gets namespaces.
#[derive(Clone, Copy)]
enum Way {
    /// It may just make them.
    Administrator,
    /// It may in a user namespace.
    Again,
}

/// Runs a test on a network of so many hosts, if one can be made.
#[track_caller]
fn on_a_lan<Story: FnOnce(&Lan)>(hosts: u8, story: Story) {
    match way() {
        Ok(Way::Administrator) => story(&Lan::new(hosts)),
        // The story is a closure in a test, and is called like it.
        Ok(Way::Again) => run_again(type_name::<Story>().trim_end_matches("::{{closure}}")),
        Err(reason) => {
            assert!(env::var_os(REQUIRED).is_none_or(|value| value != "1"), "{reason}");
            eprintln!("SKIP: {reason}");
        }
    }
}

/// The way for all tests, or why there is none.
fn way() -> Result<Way, &'static str> {
    static WAY: OnceLock<Result<Way, String>> = OnceLock::new();
    let way = WAY.get_or_init(|| {
        let attempt = |options: &[&str]| {
            // All the tools have to be there, and to work.
            for tool in [&["ip", "link"][..], &["nft", "list", "tables"]] {
                let mut command = Command::new("unshare");
                let output = command.args(options).arg("--net").args(tool).output();
                let output = output.map_err(|err| format!("unshare does not run: {err}"))?;
                if !output.status.success() {
                    return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
                }
            }
            Ok(())
        };
        if attempt(&[]).is_ok() {
            return Ok(Way::Administrator);
        }
        let again = attempt(&["--user", "--map-root-user"]).map(|()| Way::Again);
        // It is no use to try this again where it was tried.
        let again = again.and_then(|way| match env::var_os(AGAIN) {
            None => Ok(way),
            Some(_) => Err("not even as an administrator".into()),
        });
        again.map_err(|why| format!("no network namespaces: {why}"))
    });
    way.as_ref().copied().map_err(String::as_str)
}

/// Runs a test of this program again, alone and in a user namespace.
#[track_caller]
fn run_again(path: &str) {
    let (_, test) = path.split_once("::").expect("the test is in a crate");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net"]).arg(env::current_exe().unwrap());
    command.args(["--exact", test, "--include-ignored", "--nocapture"]).env(AGAIN, "1");
    // Each wait in there has a deadline of its own.
    let output = command.stdin(Stdio::null()).output().expect("unshare runs");
    let [told, complaint] = [output.stdout, output.stderr].map(String::from_utf8);
    let (told, complaint) = (told.unwrap_or_default(), complaint.unwrap_or_default());
    let passed = told.contains("test result: ok. 1 passed");
    assert!(passed, "{test} in a user namespace: {told}\n{complaint}");
}

/// A local network. Host I has the addresses 10.77.0.I, fd77::I and fe80::I, on
/// `eth0`.
struct Lan {
    /// Where the cables meet.
    switch: Host,
    hosts: Vec<Host>,
}

impl Lan {
    fn new(hosts: u8) -> Lan {
        let switch = Host::new(0);
        switch.ip("link set lo up
            link add br0 type bridge forward_delay 0 mcast_snooping 0
            link set br0 addrgenmode none
            link set br0 up");
        let lan = Lan { switch, hosts: (1..=hosts).map(Host::new).collect() };
        for host in &lan.hosts {
            host.ip("link set lo up");
            lan.plug(host, "eth0", "br0");
            host.ip(&host.home());
        }
        lan
    }

    fn host(&self, number: usize) -> &Host {
        &self.hosts[number - 1]
    }

    /// Lays a cable from an interface of a host to a bridge.
    fn plug(&self, host: &Host, interface: &str, bridge: &str) {
        let port = host.port(interface);
        let to = format!("/proc/{}/fd/{}", process::id(), host.namespace.as_raw_fd());
        self.switch.ip(&format!(
            "link add {port} type veth peer name {interface} netns {to}
             link set {port} addrgenmode none
             link set {port} master {bridge} up"
        ));
        host.ip(&format!("link set {interface} addrgenmode none multicast on up"));
    }

    /// A second network, 10.88.0.0/24, on `eth1` of these hosts.
    fn add_network(&self, hosts: &[usize]) {
        self.switch.ip("link add br1 type bridge forward_delay 0 mcast_snooping 0
            link set br1 addrgenmode none
            link set br1 up");
        for &number in hosts {
            let host = self.host(number);
            self.plug(host, "eth1", "br1");
            host.ip(&format!(
                "address add 10.88.0.{number}/24 brd + dev eth1
                 -6 address add fe80::88:{number}/64 dev eth1 nodad"
            ));
        }
    }

    /// Pulls the cable of a host out, or puts it back in.
    fn cable(&self, number: usize, state: &str) {
        let port = self.host(number).port("eth0");
        self.switch.ip(&format!("link set {port} {state}"));
    }
}

/// A machine of the network, which is there as long as this.
struct Host {
    number: u8,
    namespace: File,
}

impl Host {
    fn new(number: u8) -> Host {
        // It is made by a process that just stays until we have hold of it.
        let mut command = Command::new("unshare");
        let mut maker = Running::start(command.args(["--net", "cat"]).stdin(Stdio::piped()));
        maker.type_in("here\n");
        assert_eq!(maker.stdout.next().as_deref(), Some("here"));
        let namespace = File::open(format!("/proc/{}/ns/net", maker.id()));
        Host { number, namespace: namespace.expect("a process has a namespace") }
    }

    /// Its end of a cable at the switch.
    fn port(&self, interface: &str) -> String {
        format!("{interface}-{}", self.number)
    }

    /// The command that gives it its addresses, as it does after they were taken.
    fn home(&self) -> String {
        let number = self.number;
        format!(
            "address replace 10.77.0.{number}/24 brd + dev eth0
             -6 address replace fd77::{number}/64 dev eth0 nodad
             -6 address replace fe80::{number}/64 dev eth0 nodad"
        )
    }

    /// Does something there. Sockets and processes stay where they were made.
    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let there = || {
            // It is the thread that moves, and it is ours alone.
            move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("one can move into a namespace of one's own");
            work()
        };
        let result = thread::scope(|scope| scope.spawn(there).join());
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Runs `ip` there with each of these lines.
    fn ip(&self, lines: &str) {
        for line in lines.lines() {
            self.tool(Command::new("ip").args(line.split_whitespace()), "");
        }
    }

    /// Sets up packet filters there.
    fn nft(&self, rules: &str) {
        self.tool(Command::new("nft").args(["-f", "-"]), rules);
    }

    fn tool(&self, command: &mut Command, input: &str) {
        let output = self.inside(|| run(command, input));
        assert_eq!(output.status, Some(0), "{command:?}: {}", output.stderr);
    }

    /// Starts the program there, with its input open.
    fn minichat(&self, arguments: &[&str]) -> Running {
        self.inside(|| Running::start(minichat().args(arguments).stdin(Stdio::piped())))
    }

    /// Runs the program there to its end.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        self.inside(|| run(minichat().args(arguments), input))
    }

    /// The same, in this language.
    fn run_in(&self, language: &str, arguments: &[&str]) -> Output {
        self.inside(|| run(minichat().env("LC_ALL", language).args(arguments), ""))
    }

    /// Starts a server there, which listens but need not be announced yet.
    fn server(&self, arguments: &[&str]) -> Running {
        let mut server = self.minichat(&[&["server"], arguments].concat());
        let first = server.stdout.next();
        assert!(first.as_ref().is_some_and(|line| line.starts_with("Listening")), "{first:?}");
        server
    }

    /// Runs `discover` there.
    fn discover(&self, options: &[&str]) -> Output {
        self.run(&[&["discover"], options].concat(), "")
    }

    /// Starts `discover --watch` there.
    fn watch(&self) -> Running {
        self.minichat(&["discover", "--watch"])
    }

    /// Waits until servers of these titles are all seen from there.
    fn sees(&self, titles: &[&str]) {
        let mut watch = self.watch();
        let mut missing: BTreeSet<&str> = titles.iter().copied().collect();
        while !missing.is_empty() {
            let line = watch.stdout.next().expect("watching does not end");
            missing.retain(|title| !line.starts_with(&format!("+\t{title}\t")));
        }
    }

    /// Says a line from there in the chat that `connect` finds, and gives what
    /// was said on standard error.
    #[track_caller]
    fn joins(&self, arguments: &[&str]) -> String {
        let arguments = [&["connect", "--nick", "bot"], arguments].concat();
        let Output { status, stdout, stderr } = self.run(&arguments, "oi\n");
        assert_eq!(status, Some(0), "{arguments:?}: {stderr}");
        assert!(events(&stdout).contains(&"message\tbot\toi"), "{stdout:?}");
        stderr
    }

    /// Tries the same, and gives what came of it.
    fn tries(&self, arguments: &[&str]) -> Output {
        self.run(&[&["connect", "--nick", "bot"], arguments].concat(), "oi\n")
    }
}

/// The rows of `discover` in a pipe.
fn rows(output: &Output) -> Vec<[&str; 4]> {
    output
        .stdout
        .lines()
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            columns.try_into().unwrap_or_else(|_| panic!("not four columns: {line:?}"))
        })
        .collect()
}

/// The titles and addresses that `discover` tells, in its order.
#[track_caller]
fn listed(output: &Output) -> Vec<(&str, &str)> {
    assert_eq!((output.status, &*output.stderr), (Some(0), ""));
    rows(output).into_iter().map(|[title, address, ..]| (title, address)).collect()
}

/// Characters that a stranger must never get to a terminal: control characters other than
/// the ends of lines and columns, and what turns text around.
#[track_caller]
fn check_harmless(text: &str) {
    let harmful = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(harmful), "{text:?}");
}
