//! A mistake in the server itself: the client that meets it is the only one to suffer
//! from it.

use crate::harness::{Running, Server, minichat};

/// A server that panics over this line, while it has the room locked.
const DREADED: &str = "MSG make a mistake";

#[test]
fn a_panic_ends_one_client_alone_and_the_chat_goes_on() {
    let mut command = minichat();
    command.env("MINICHAT_PANIC", DREADED);
    let mut server = Server::launch(command, &[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    // More often than there are threads that could be lost.
    for round in 0..8 {
        let mut rui = server.member("rui");
        for peer in [&mut ana, &mut joao] {
            peer.reads("User rui joined.");
        }
        // The lines before it were said.
        rui.sends(format!("MSG round {round}\n{DREADED}\nMSG never said\n"));
        for peer in [&mut ana, &mut joao] {
            peer.reads(format!("FROM rui [all]: round {round}"));
            peer.reads("User rui left the chat.");
        }
        while !rui.raw_line().is_empty() {}
        let line = server.process.stderr.find("cut off");
        assert!(line.contains("cut off rui 127.0.0.1: minichat made a mistake"), "{line}");
        ana.says("WHO");
        ana.reads("Connected users: ana, joao");
        joao.reads_nothing_more();
    }
    // A client without a nick may meet it, too.
    let mut guest = server.guest();
    guest.says(DREADED);
    while !guest.raw_line().is_empty() {}
    let line = server.process.stderr.find("cut off");
    assert!(line.contains("cut off a guest 127.0.0.1: minichat made a mistake"), "{line}");
    ana.reads_nothing_more();
    server.still_serves();
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere there is no prlimit to set it with.
fn too_few_threads_are_an_error_in_words() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};
    use std::{env, fs};

    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can be somebody else, who has a limit");
        return;
    }
    // Another user may not be let in to where the tests are.
    let folder = env::temp_dir().join(format!("minichat-threads-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder can be made");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let binary: PathBuf = folder.join("minichat");
    // Another process copies: what this one has open, a child of another test may keep.
    let copied = Command::new("cp").arg(minichat().get_program()).arg(&binary).status();
    assert!(copied.expect("cp runs").success());
    let outputs: Vec<_> = [
        &["server", "--no-mdns", "--bind", "127.0.0.1", "--port", "0"][..],
        &["discover", "--timeout", "1"],
        &["connect", "127.0.0.1:1", "--nick", "ana"],
    ]
    .into_iter()
    .map(|arguments| {
        let mut command = Command::new("prlimit");
        command.arg("--nproc=1:1").arg(&binary).args(arguments).stdin(Stdio::null());
        command.env("LC_ALL", "C.UTF-8").uid(54_321).gid(54_321);
        Running::start(&mut command).output()
    })
    .collect();
    fs::remove_dir_all(&folder).expect("it is ours");
    for output in outputs {
        assert_eq!((output.status, &*output.stdout), (Some(1), ""), "{}", output.stderr);
        let (cause, way_out) = output.complaint();
        assert!(cause.starts_with("cannot start what it takes"), "{cause}");
        assert!(way_out.contains("ulimit -u"), "{way_out}");
    }
}

#[test]
fn interface_that_is_not_there_yet_lets_a_service_start_again() {
    let mut command = minichat();
    let arguments = ["server", "--port", "0", "--interface", "wlan77", "--bind", "127.0.0.1"];
    let output = Running::start(command.args(arguments)).output();
    assert_eq!((output.status, &*output.stdout), (Some(1), ""));
    assert!(output.complaint().0.contains("wlan77"), "{}", output.stderr);
    // The unit waits between two starts, or systemd gives up after five at once.
    let unit = include_str!("../../packaging/minichat.service");
    assert!(unit.contains("\nRestart=on-failure\n") && unit.contains("\nRestartSec="), "{unit}");
    assert!(unit.contains("\nRestartPreventExitStatus=2\n"), "{unit}");
}
