//! A room that is recorded: what is said survives restarts and crashes of the server.

use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process;
#[cfg(unix)]
use std::time::{Duration, Instant};

#[cfg(unix)]
use crate::harness::minichat_after;
use crate::harness::{Client, Peer, Server, connect, minichat, run};

/// The line that everybody reads on registering.
const NOTICE: &str =
    "FROM server [dm]: this room is recorded: what is said to all is kept for 30 days";

/// A folder of one test, which is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("minichat-stored-{name}-{}", process::id()));
        fs::remove_dir_all(&path).ok(); // Of a run that was killed.
        Folder(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // It is of no use.
    }
}

/// All that the segments hold.
fn stored(dir: &Path) -> String {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "chat"));
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// A member of a recorded room.
fn member(server: &Server, nick: &str) -> Peer {
    let mut peer = server.member(nick);
    peer.reads(NOTICE);
    peer
}

/// Columns without their times.
fn kinds(columns: &str) -> Vec<String> {
    let rest = |line: &str| line.split_once('\t').map_or("", |(_, rest)| rest).to_string();
    columns.lines().map(rest).collect()
}

/// Stops a server as its operator does.
fn stop(mut server: Server) {
    server.process.signal("TERM");
    assert!(server.process.wait().success() || cfg!(windows));
}

#[test]
fn history_survives_a_restart_and_keeps_no_private_line() {
    let folder = Folder::new("restart");
    let path = folder.path();
    let server = Server::start(&["--store", &path]);
    let [mut ana, mut rui] = ["ana", "rui"].map(|nick| member(&server, nick));
    ana.reads("User rui joined.");
    for line in ["MSG um", "MSG @rui segredo", "MSG dois"] {
        ana.says(line);
    }
    rui.reads("FROM ana [all]: um");
    rui.reads("FROM ana [dm]: segredo");
    rui.reads("FROM ana [all]: dois");
    let place = folder.0.join("place").display().to_string();
    let options = ["-n", "bot", "--since-file", &place];
    let output = run(&mut connect(server.address, &options), "");
    let notice = NOTICE.strip_prefix("FROM server [dm]: ").unwrap();
    let notice = format!("private\tserver\t{notice}");
    let past = ["past\tana\tum", "past\tana\tdois"];
    let expected = [&["welcome\t\tbot", &*notice], &past[..], &["bye\t\t"]].concat();
    assert_eq!(kinds(&output.stdout), expected);
    ana.says("MSG três");
    ana.skips_to("FROM ana [all]: três");
    stop(server);
    let kept = stored(&folder.0);
    let texts: Vec<&str> =
        kept.lines().filter_map(|line| line.split_once("FROM ")).map(|it| it.1).collect();
    assert_eq!(texts, ["ana [all]: um", "ana [all]: dois", "ana [all]: três"]);
    assert!(kept.starts_with("1 ") && !kept.contains("segredo"), "{kept}");

    let server = Server::start(&["--store", &path, "--history", "1"]);
    let output = run(&mut connect(server.address, &options), "");
    assert_eq!(kinds(&output.stdout), ["welcome\t\tbot", &notice, "past\tana\ttrês", "bye\t\t"]);
    // An old client is told as ever, and everybody that the room is recorded.
    let mut old = member(&server, "old");
    old.reads("History: 1");
    old.reads("FROM ana [all]: três");
    old.says("MSG quatro");
    old.reads("FROM old [all]: quatro");
    stop(server);
    assert!(stored(&folder.0).lines().last().unwrap().starts_with("4 "));
}

#[test]
fn returning_client_reads_what_it_missed_once() {
    let folder = Folder::new("back");
    let path = folder.path();
    let server = Server::start(&["--store", &path]);
    let address = server.address;
    let mut bot = Client::start(address, &["-n", "bot", "--stay"]);
    bot.process.stdout.find("private\tserver");
    let mut ana = member(&server, "ana");
    ana.says("MSG um");
    bot.process.stdout.find("message\tana\tum");
    stop(server);
    bot.process.stdout.find("lost");
    // Said while the bot was away: a server on another port writes into the same store.
    let server = Server::start(&["--store", &path]);
    let mut ana = member(&server, "ana");
    ana.says("MSG dois");
    ana.reads("FROM ana [all]: dois");
    stop(server);
    let port = address.port().to_string();
    let mut command = minichat();
    command.args(["server", "--bind", "127.0.0.1", "--no-mdns", "--store", &path]);
    command.args(["--port", &port, "-q"]);
    let _server = crate::harness::Running::start(command.stdin(process::Stdio::null()));
    bot.process.stdout.find("back\t");
    assert!(bot.process.stdout.next().unwrap().contains("this room is recorded"));
    assert!(bot.process.stdout.next().unwrap().ends_with("past\tana\tdois"));
    bot.types("três");
    assert!(bot.process.stdout.next().unwrap().ends_with("message\tbot\ttrês"));
}

#[test]
fn last_and_search_reach_what_the_room_has_forgotten() {
    let folder = Folder::new("deep");
    let path = folder.path();
    let server = Server::start(&["--store", &path, "--rate", "0"]);
    let mut ana = member(&server, "ana");
    ana.says("MSG A Chave está aqui");
    let long = "x".repeat(2000);
    for n in 2..=600 {
        ana.says(format!("MSG {n} {long}"));
    }
    ana.skips_to(&format!("FROM ana [all]: 600 {long}"));
    let mut rui = server.guest();
    rui.says("CAP history");
    rui.says("NICK rui");
    let now = loop {
        let line = rui.line();
        if line.starts_with("Now: ") {
            break line;
        }
    };
    assert!(now.ends_with(" 600"), "{now}");
    let mut ask = |line: &str| {
        rui.says(line);
        let mut numbers = Vec::new();
        loop {
            let line = rui.line();
            if let Some(found) = line.strip_prefix("Found: ") {
                return (numbers, found.to_string());
            }
            let number = line.strip_prefix("Past: ").and_then(|rest| rest.split(' ').next());
            numbers.push(number.expect("a past line").parse::<u64>().unwrap());
        }
    };
    assert_eq!(ask("LAST 3 BEFORE 4"), (vec![1, 2, 3], "3".into()));
    assert_eq!(ask("LAST 2 BEFORE 300"), (vec![298, 299], "2 of more".into()));
    assert_eq!(ask("LAST 2"), (vec![599, 600], "2 of more".into()));
    assert_eq!(ask("FIND chave ESTÁ"), (vec![1], "1".into()));
    assert_eq!(ask("FIND nowhere"), (vec![], "0".into()));
    stop(server);
}

#[test]
fn second_server_is_refused_before_it_listens() {
    let folder = Folder::new("lock");
    let path = folder.path();
    let mut server = Server::start(&["--store", &path]);
    assert!(server.process.stdout.find("Recording to").contains("for 30 days"));
    let output = run(minichat().args(["server", "--port", "0", "--no-mdns", "--store", &path]), "");
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    let (cause, _) = output.complaint();
    assert_eq!(cause, format!("cannot store in {path}: another server uses it"));
}

#[test]
fn lines_left_out_are_told_and_another_format_is_refused() {
    let folder = Folder::new("left");
    let path = folder.path();
    stop(Server::start(&["--store", &path]));
    let segment = folder.0.join("00000000000000000001.chat");
    fs::write(&segment, "1 1000 FROM ana [all]: um\n2 oops\n3 3000 FROM ana [all]: dois\n")
        .unwrap();
    let mut server = Server::start(&["--store", &path, "--keep", "0"]);
    let told = server.process.stdout.find("left out");
    assert!(told.contains("00000000000000000001.chat: 1 line left out"), "{told}");
    stop(server);
    fs::write(&segment, "minichat-history 9\n").unwrap();
    let output = run(minichat().args(["server", "--port", "0", "--no-mdns", "--store", &path]), "");
    assert_eq!(output.status, Some(1));
    assert!(output.complaint().0.contains("00000000000000000001.chat"), "{}", output.stderr);
    assert_eq!(fs::read_to_string(&segment).unwrap(), "minichat-history 9\n");
}

/// How often the server is killed.
#[cfg(unix)] // Only its test needs it.
const KILLS: u32 = 12;

#[test]
#[cfg(unix)] // Elsewhere no signal ends a server at once.
fn killed_server_has_lost_nothing_that_was_on_disk() {
    let folder = Folder::new("killed");
    let path = folder.path();
    let mut dice = fastrand::Rng::with_seed(7);
    for _ in 0..KILLS {
        let server = Server::start(&["--store", &path, "--rate", "0"]);
        let mut people: Vec<Peer> = (0..20).map(|n| member(&server, &format!("p{n}"))).collect();
        let begin = Instant::now();
        let lifetime = Duration::from_millis(dice.u64(20..200));
        let mut seen = Vec::new();
        while begin.elapsed() < lifetime {
            people.iter_mut().for_each(|peer| peer.says("MSG uma linha qualquer"));
            seen.push((Instant::now(), stored(&folder.0)));
        }
        // The lines that an observer has read 50 ms before are still there.
        let on_disk = seen.iter().rev().find(|(time, _)| time.elapsed().as_millis() >= 50);
        let on_disk = on_disk.map_or(String::new(), |(_, text)| text.clone());
        server.process.signal("KILL");
        drop(server);
        let after = stored(&folder.0);
        let whole = &on_disk[..on_disk.rfind('\n').map_or(0, |at| at + 1)];
        assert!(after.starts_with(whole));
    }
    stop(Server::start(&["--store", &path]));
    let kept = stored(&folder.0);
    let numbers = kept.lines().map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap());
    let count = numbers.clone().count() as u64;
    assert!(numbers.eq(1..=count), "numbers without a gap");
    assert!(count > 0 && kept.lines().all(|line| line.ends_with("uma linha qualquer")));
}

#[test]
#[cfg(unix)] // Elsewhere a shell limits no files.
fn full_disk_is_told_once_and_the_chat_goes_on() {
    let folder = Folder::new("full");
    let path = folder.path();
    let mut server =
        Server::launch(minichat_after("ulimit -f 8"), &["--store", &path, "--rate", "0"]);
    let mut ana = member(&server, "ana");
    let long = "x".repeat(1000);
    for n in 0..40 {
        ana.says(format!("MSG {n} {long}"));
        ana.reads(format!("FROM ana [all]: {n} {long}"));
    }
    let told = server.process.stderr.find("cannot be kept");
    assert!(told.contains(&path), "{told}");
    stop(server);
    let kept = stored(&folder.0);
    assert!(kept.ends_with('\n') && kept.lines().all(|line| line.ends_with(&long)));
    // With room again, it goes on.
    let server = Server::start(&["--store", &path]);
    let mut ana = member(&server, "ana");
    ana.says("MSG de novo");
    ana.reads("FROM ana [all]: de novo");
    stop(server);
    assert!(stored(&folder.0).ends_with("FROM ana [all]: de novo\n"));
}

/// The file of the first message is a pipe without a reader: opening it never ends.
#[test]
#[cfg(unix)] // Elsewhere no file of a folder is a pipe.
fn disk_that_stands_still_is_told_and_the_chat_goes_on() {
    let folder = Folder::new("still");
    let path = folder.path();
    let mut server = Server::start(&["--store", &path, "--rate", "0"]);
    let first = folder.0.join("00000000000000000001.chat");
    let made = process::Command::new("mkfifo").arg(&first).status().expect("mkfifo runs");
    assert!(made.success());
    let mut ana = member(&server, "ana");
    let long = "x".repeat(1000);
    let mut said = 0;
    let mut say = |ana: &mut Peer| {
        said += 1;
        ana.says(format!("MSG {said} {long}"));
        ana.reads(format!("FROM ana [all]: {said} {long}"));
    };
    // More than the room remembers.
    (0..1200).for_each(|_| say(&mut ana));
    let told = server.process.stderr.find("cannot be kept");
    assert!(told.ends_with("it has not answered for 3 s; the chat goes on"), "{told}");
    say(&mut ana);
    // The disk answers again.
    let mut disk = BufReader::new(fs::File::open(&first).expect("it is a pipe"));
    let mut line = String::new();
    disk.read_line(&mut line).unwrap();
    assert!(line.starts_with("1 ") && line.contains(" FROM ana [all]: 1 x"), "{line}");
    let told = server.process.stderr.find("has a gap");
    assert!(told.contains(&path), "{told}");
    // It keeps the later messages.
    ana.says("MSG de novo");
    while !line.ends_with(" FROM ana [all]: de novo\n") {
        line.clear();
        assert!(disk.read_line(&mut line).unwrap() > 0, "the disk is written to");
    }
    stop(server);

    // No disk delays the end.
    fs::remove_file(&first).unwrap();
    let server = Server::start(&["--store", &path]);
    let made = process::Command::new("mkfifo").arg(&first).status().expect("mkfifo runs");
    assert!(made.success());
    let mut ana = member(&server, "ana");
    ana.says("MSG um");
    ana.reads("FROM ana [all]: um");
    stop(server);
}

#[test]
fn crowd_that_comes_back_after_a_restart_is_told_all_it_missed() {
    const PEOPLE: u64 = 300;
    let folder = Folder::new("crowd");
    let path = folder.path();
    let server = Server::start(&["--store", &path, "--rate", "0"]);
    let mut ana = member(&server, "ana");
    let text = "x".repeat(200);
    (1..=200).for_each(|n| ana.says(format!("MSG {n} {text}")));
    ana.skips_to(&format!("FROM ana [all]: 200 {text}"));
    stop(server);
    let room = fs::read_to_string(folder.0.join("room")).unwrap();
    let term = room.trim_end().split_once(' ').unwrap().1.to_string();
    let server = Server::start(&["--store", &path]);
    let mut people: Vec<(u64, Peer)> = (0..PEOPLE).map(|n| (n, server.connect())).collect();
    for (n, peer) in &mut people {
        peer.sends(format!("CAP history\nSINCE {term} {}\nNICK p{n}\n", *n % 200));
    }
    for (n, peer) in &mut people {
        peer.skips_to(NOTICE);
        for number in *n % 200 + 1..=200 {
            let line = peer.line();
            assert!(line.starts_with(&format!("Past: {number} ")), "{line}");
        }
        peer.reads(format!("Now: {term} 200"));
    }
    if let Some(kibibytes) = server.process.peak_memory() {
        assert!(kibibytes < 64 << 10, "{kibibytes} KiB");
    }
}
