//! Earlier messages: for late comers, after an absence, and for bots.

use std::fs;
use std::path::PathBuf;
use std::process;

use crate::harness::{Client, Server, connect, run};

/// A folder of one test, which is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("minichat-past-{name}-{}", process::id()));
        fs::remove_dir_all(&path).ok(); // Of a run that was killed.
        fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // It is of no use.
    }
}

/// The events of some columns, without the times.
fn kinds(columns: &str) -> Vec<String> {
    let rest = |line: &str| line.split_once('\t').map_or("", |(_, rest)| rest).to_string();
    columns.lines().map(rest).collect()
}

#[test]
fn late_comer_sees_past_lines_marked_with_their_times() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    ana.says("MSG !ping");
    ana.reads("FROM ana [all]: !ping");
    let log = Folder::new("log");
    let path = log.file("log");
    let output = run(&mut connect(server.address, &["-n", "bot", "-l", &path]), "oi\n");
    let expected = ["welcome\t\tbot", "past\tana\t!ping", "message\tbot\toi", "bye\t\t"];
    assert_eq!(kinds(&output.stdout), expected);
    assert_eq!(kinds(&fs::read_to_string(&path).unwrap()), expected);
    ana.skips_to("User bot left the chat.");

    let output = run(&mut connect(server.address, &["-n", "bot", "--json"]), "/last 1\n");
    let lines: Vec<&str> = output.stdout.lines().collect();
    let number = |n: u64| format!("\"past\":true,\"number\":{n}");
    assert!(lines[1].contains("\"text\":\"!ping\"") && lines[1].contains(&number(1)));
    assert!(lines[2].contains("\"text\":\"oi\"") && lines[2].contains(&number(2)));
    assert!(lines[3].contains(&number(2)), "{lines:?}");
    assert!(lines[4].contains("\"type\":\"found\",\"text\":\"1 of more\""), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("\"message\"")), "{lines:?}");
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);

    let output = run(&mut connect(server.address, &["-n", "bot", "--raw"]), "NICK bot\nQUIT\n");
    assert!(!output.stdout.contains("Past: "), "{}", output.stdout);
}

#[test]
fn bot_reads_each_line_once_from_run_to_run() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    let folder = Folder::new("since");
    let place = folder.file("place");
    let options = ["-n", "bot", "--since-file", &place];
    ana.says("MSG um");
    ana.reads("FROM ana [all]: um");
    let output = run(&mut connect(server.address, &options), "");
    assert_eq!(kinds(&output.stdout), ["welcome\t\tbot", "past\tana\tum", "bye\t\t"]);
    ana.skips_to("User bot left the chat.");
    let output = run(&mut connect(server.address, &options), "dois\n");
    assert_eq!(kinds(&output.stdout), ["welcome\t\tbot", "message\tbot\tdois", "bye\t\t"]);
    ana.skips_to("User bot left the chat.");
    ana.says("MSG três");
    ana.reads("FROM ana [all]: três");
    // Also after a signal.
    let mut bot = Client::start(server.address, &options);
    bot.shows("welcome\t\tbot");
    bot.shows("past\tana\ttrês");
    ana.says("MSG quatro");
    bot.shows("message\tana\tquatro");
    bot.process.signal("TERM");
    bot.process.wait();
    ana.skips_to("User bot left the chat.");
    let output = run(&mut connect(server.address, &options), "");
    assert_eq!(kinds(&output.stdout), ["welcome\t\tbot", "bye\t\t"]);
    let written = fs::read_to_string(&place).unwrap();
    assert!(written.ends_with(" 4\n"), "{written}");
}

#[test]
fn file_that_holds_something_else_is_left_as_it_is() {
    let server = Server::start(&[]);
    let folder = Folder::new("other");
    let path = folder.file("notes");
    fs::write(&path, "my notes\nof today\n").unwrap();
    let output = run(&mut connect(server.address, &["-n", "bot", "--since-file", &path]), "");
    assert_eq!(output.status, Some(1));
    let (cause, way_out) = output.complaint();
    assert!(cause.contains(&path) && way_out.contains("--since-file"), "{cause}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "my notes\nof today\n");
}

#[test]
fn client_of_a_server_without_history_says_so() {
    let server = Server::start(&["--history", "0"]);
    let output = run(&mut connect(server.address, &["-n", "bot"]), "/last\n/search oi\n");
    assert_eq!(kinds(&output.stdout), ["welcome\t\tbot", "bye\t\t"]);
    assert_eq!(output.stderr.matches("this server keeps no history").count(), 2);
}
