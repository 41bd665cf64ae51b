//! Logs on a disk that is full, and logs that are rotated while they are written.

use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Client, Lines, PATIENCE, Peer, Running, Server, minichat, minichat_after};

/// A file that is not there yet.
fn fresh(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_file(&path).ok(); // A test that failed may have left it.
    path
}

/// Waits until the file holds this, and returns all of it.
#[track_caller]
fn comes_to_hold(path: &Path, text: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held = fs::read_to_string(path).unwrap_or_default();
        if held.contains(text) {
            return held;
        }
        assert!(Instant::now() < deadline, "no {text:?} in {held:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Renames a log, as a rotation does, and waits until it was opened anew.
#[track_caller]
fn rotate(process: &Running, path: &Path, old: &Path) {
    fs::rename(path, old).expect("a file can be renamed");
    process.signal("HUP");
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "it is not opened anew");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The numbers that Ana has said, as far as they are in the log. Every line there is
/// whole: it begins with the time, and a number has an end.
#[track_caller]
fn numbers(log: &str) -> Vec<usize> {
    assert!(log.is_empty() || log.ends_with('\n'), "{log:?}");
    let lines = log.lines().filter_map(|line| {
        let (time, event) = line.split_once([' ', '\t']).unwrap_or_else(|| panic!("{line:?}"));
        assert!(time.len() == "2025-11-22T21:04:05-03:00".len(), "{line:?}");
        let text = event
            .strip_prefix("FROM ana [all]: ")
            .or_else(|| event.strip_prefix("message\tana\t"))?;
        let number = text.strip_suffix(TAIL).unwrap_or_else(|| panic!("{line:?}"));
        Some(number.parse().unwrap_or_else(|_| panic!("{line:?}")))
    });
    lines.collect()
}

/// How each of these lines goes on and ends. Pages of memory and blocks of a disk
/// are no multiple of it.
const TAIL: &str = " times the quick brown fox jumps over the lazy dog, and that is the end of it.";

#[track_caller]
fn says(ana: &mut Peer, number: usize) {
    ana.says(format!("MSG {number}{TAIL}"));
    ana.reads(format!("FROM ana [all]: {number}{TAIL}"));
}

#[test]
fn rotated_log_loses_no_line() {
    let files = ["rotated-server", "rotated-client"].map(|name| {
        (fresh(&format!("{name}.log")), (0..3).map(|n| fresh(&format!("{name}.log.{n}"))).collect())
    });
    let files: [(PathBuf, Vec<PathBuf>); 2] = files;
    let [log, other] = files.each_ref().map(|(path, _)| path.to_str().expect("a path in UTF-8"));
    let server = Server::start(&["--log", log, "--rate", "0"]);
    let mut ana = server.member("ana");
    let bot = Client::start(server.address, &["--nick", "bot", "--log", other]);
    ana.reads("User bot joined.");

    let mut said = 0;
    for n in 0..3 {
        for _ in 0..50 {
            says(&mut ana, said);
            said += 1;
        }
        for ((path, old), process) in files.iter().zip([&server.process, &bot.process]) {
            rotate(process, path, &old[n]);
        }
    }
    says(&mut ana, said);
    for (path, old) in &files {
        comes_to_hold(path, &format!("{said}{TAIL}\n"));
        let mut all = String::new();
        for path in old.iter().chain([path]) {
            all += &fs::read_to_string(path).expect("there is a log");
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path).expect("there is a log").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{} is for its owner only", path.display());
            fs::remove_file(path).expect("a log can be removed");
        }
        assert_eq!(numbers(&all), (0..=said).collect::<Vec<_>>());
    }
    for process in [server.process, bot.process] {
        process.signal("TERM");
        assert_eq!(process.output().stderr, "");
    }
}

#[test]
fn a_log_that_breaks_off_within_a_line_goes_on_with_the_next() {
    let path = fresh("broken-off.log");
    fs::write(&path, "written by hand").expect("a file can be written");
    let server = Server::start(&["--log", path.to_str().expect("a path in UTF-8")]);
    let _ana = server.member("ana");
    let held = comes_to_hold(&path, "User ana joined.\n");
    let (first, second) = held.split_once('\n').expect("there are two lines");
    assert!(first == "written by hand" && second.ends_with(" User ana joined.\n"), "{held:?}");
    server.process.signal("TERM");
    assert_eq!(server.process.output().stderr, "");
    fs::remove_file(path).expect("the log can be removed");
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere nobody can give a process more room.
fn full_disk_is_told_once_and_keeps_whole_lines() {
    use rustix::process::{Pid, Resource, getrlimit, prlimit};

    // A file that may grow no more is as good as a disk that is full. Without that
    // signal one only learns of it by the error, as on a disk.
    let limit = "ulimit -S -f 16";
    let path = fresh("full.log");
    let log = path.to_str().expect("a path in UTF-8");
    let mut server = Server::launch(minichat_after(limit), &["--log", log, "--rate", "0"]);
    let mut ana = server.member("ana");
    for n in 0..500 {
        says(&mut ana, n);
    }
    // There may be room for a short line, and then not for a long one again.
    let mut joao = server.member("joao");
    for _ in 0..10 {
        for text in ["oi", TAIL.trim_start()] {
            joao.says(format!("MSG {text}"));
            joao.reads(format!("FROM joao [all]: {text}"));
        }
    }
    ana.skips_to("User joao joined.");
    let complaint = server.process.stderr.next().expect("it complains");
    assert!(complaint.contains(log) && complaint.contains("the chat goes on"), "{complaint}");

    // When there is room again, it goes on.
    let pid = Pid::from_raw(server.process.id().try_into().expect("a process has a number"));
    prlimit(pid, Resource::Fsize, getrlimit(Resource::Fsize)).expect("it may have as much as we");
    for text in ["oi", TAIL.trim_start()].repeat(10) {
        ana.reads(format!("FROM joao [all]: {text}"));
    }
    says(&mut ana, 500);
    let kept = numbers(&comes_to_hold(&path, &format!("500{TAIL}\n")));
    assert!(kept.is_sorted() && kept.len() < 500, "{kept:?}");
    assert!(kept.starts_with(&[0, 1, 2]) && kept.ends_with(&[500]), "{kept:?}");

    server.process.signal("TERM");
    let output = server.process.output();
    assert_eq!((output.status, output.stderr.lines().count()), (Some(0), 1), "{}", output.stderr);
    fs::remove_file(path).expect("the log can be removed");
}

#[test]
#[cfg(target_os = "linux")] // There a file is always full.
fn on_a_full_disk_server_and_client_say_so_once_and_go_on() {
    let mut server = Server::start(&["--log", "/dev/full"]);
    let mut ana = server.member("ana");
    let mut bot = Client::start(server.address, &["--nick", "bot", "--log", "/dev/full"]);
    ana.reads("User bot joined.");
    bot.shows("welcome\t\tbot");
    for n in 0..20 {
        says(&mut ana, n);
        bot.shows(&format!("message\tana\t{n}{TAIL}"));
    }
    for process in [&mut server.process, &mut bot.process] {
        let complaint = process.stderr.find("/dev/full");
        let why = "the log /dev/full cannot be written: no space left on device";
        assert!(complaint.contains(why), "{complaint}");
        assert!(complaint.contains("the chat goes on"), "{complaint}");
    }
    server.still_serves();
    for process in [server.process, bot.process] {
        process.signal("TERM");
        let output = process.output();
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    }
}

#[test]
fn a_log_that_stands_still_for_a_while_has_no_gap_in_the_end() {
    const LINES: usize = 1000;
    let path = fresh("stands-still.log");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    // A log that another program reads, though not at once.
    let server = Server::start(&["--rate", "0"]);
    let mut ana = server.member("ana");
    let log = path.to_str().expect("a plain name");
    let client = Client::start(server.address, &["-nbot", "--log", log]);
    let reader = fs::File::open(&path).expect("it can be read");
    ana.reads("User bot joined.");
    for number in 0..LINES {
        says(&mut ana, number);
    }
    let last = format!("{}{TAIL}", LINES - 1);
    let mut shown = client.process;
    shown.stdout.find(&last);
    let mut logged = Lines::of(reader);
    let mut log = String::new();
    while !log.contains(&last) {
        log += &(logged.next().expect("it goes on") + "\n"); // Though nothing happens.
    }
    assert_eq!(numbers(&log), (0..LINES).collect::<Vec<_>>());
    shown.end_input();
    let output = shown.output();
    assert_eq!((output.status, &*output.stderr), (Some(0), ""));
}

#[test]
fn client_and_server_survive_a_limit_on_the_size_of_files() {
    let (path, other) = (fresh("limit-server.log"), fresh("limit-client.log"));
    let log = path.to_str().expect("a plain name");
    let server = Server::launch(minichat_after("ulimit -f 8"), &["--log", log, "--rate", "0"]);
    let log = other.to_str().expect("a plain name");
    let mut command = minichat_after("ulimit -f 8");
    command.args(["connect", &server.address.to_string(), "-nbot", "--log", log]);
    let mut ana = server.member("ana");
    let mut bot = Running::start(command.stdin(Stdio::piped()));
    ana.reads("User bot joined.");
    for number in 0..1000 {
        says(&mut ana, number);
    }
    bot.stdout.find(&format!("999{TAIL}"));
    bot.stderr.find("the chat goes on");
    server.still_serves();
    bot.end_input();
    assert_eq!(bot.output().status, Some(0));
    for path in [path, other] {
        let held = fs::read_to_string(path).expect("it is there");
        assert!(held.len() <= 8192 && held.ends_with('\n'), "{} bytes", held.len());
    }
}

#[test]
fn unread_pipe_as_a_log_delays_no_end() {
    let path = fresh("unread.log");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    let log = path.to_str().expect("a plain name");
    let server = Server::start(&[]);
    let address = server.address.to_string();
    for arguments in [
        &["server", "--no-mdns", "--bind", "127.0.0.1", "--port", "0", "--log", log][..],
        &["connect", &address, "-nbot", "--log", log],
    ] {
        let mut command = minichat();
        let process = Running::start(command.args(arguments).stdin(Stdio::null()));
        let output = process.output();
        assert_eq!(output.status, Some(1), "{arguments:?}");
        let (cause, way_out) = output.complaint();
        assert!(cause.contains("nobody reads this pipe"), "{cause}");
        assert!(way_out.contains("--log FILE"), "{way_out}");
    }
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere a process keeps to itself what it waits for.
fn signal_is_obeyed_while_a_log_is_opened() {
    let path = fresh("opening.log");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    let log = path.to_str().expect("a plain name");
    let server = Server::start(&[]);
    let address = server.address.to_string();
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        for arguments in [
            &["server", "--no-mdns", "--bind", "127.0.0.1", "--port", "0", "--log", log][..],
            &["connect", &address, "-nbot", "--log", log],
        ] {
            let mut command = minichat();
            let mut process = Running::start(command.args(arguments).stdin(Stdio::null()));
            // A thread of its own opens the log.
            let tasks = format!("/proc/{}/task", process.id());
            while fs::read_dir(&tasks).expect("it runs").count() < 2 {
                thread::yield_now();
            }
            let begin = Instant::now();
            process.signal(signal);
            let status = process.wait();
            assert!(begin.elapsed() < Duration::from_secs(1), "{signal} {arguments:?}");
            let ended = (status.signal(), status.code());
            assert!([(Some(number), None), (None, Some(128 + number))].contains(&ended));
        }
    }
}
