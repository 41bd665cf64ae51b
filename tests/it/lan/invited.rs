//! The code to scan, as a terminal shows it, and where it leads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use super::{Host, on_a_lan};
use crate::harness::minichat;
use crate::tty::{Tty, last};

const URL: &str = "http://10.77.0.1:9080/";
/// The grey of a black, a white and a beige terminal.
const PAPERS: [u8; 3] = [0, 255, 225];

impl Host {
    /// Starts the program there, in a terminal that can show a code.
    fn wide_terminal(&self, arguments: &[&str]) -> Tty {
        let mut command = minichat();
        command.args(arguments).env("LC_CTYPE", "C.UTF-8").env_remove("NO_COLOR");
        self.inside(|| Tty::launch(100, 44, &mut command))
    }
}

/// The text of the code that the terminal shows, on paper of this grey; `None` without a
/// scanner.
fn scan(tty: &Tty, paper: u8) -> Option<String> {
    let mut command = Command::new("zbarimg");
    command.args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut zbar) = command.spawn() else {
        let required = std::env::var_os("MINICHAT_REQUIRE_TOOLS").is_some();
        assert!(!required, "zbarimg is missing (zbar-tools)");
        eprintln!("skipped: there is no zbarimg");
        return None;
    };
    let mut input = zbar.stdin.take().expect("it is piped");
    input.write_all(&tty.picture(8, paper)).expect("it reads the picture");
    drop(input);
    let output = zbar.wait_with_output().expect("it ends");
    Some(String::from_utf8_lossy(&output.stdout).trim_end().to_string())
}

#[track_caller]
fn is_scanned(tty: &Tty) {
    for paper in PAPERS {
        if let Some(read) = scan(tty, paper) {
            assert_eq!(read, URL, "paper {paper}; the screen:\n{}", tty.screen());
        }
    }
}

#[test]
fn code_leads_to_the_lan_beside_docker0() {
    on_a_lan(2, |lan| {
        let (here, there) = (lan.host(1), lan.host(2));
        // The address of the containers would come first in any order of numbers.
        here.ip("link add docker0 type bridge
            address add 10.17.0.1/16 dev docker0
            link add veth1 type veth peer name veth2
            link set veth1 master docker0 up
            link set veth2 up
            link set docker0 up");
        let server = here.wide_terminal(&["server", "--name", "Sala 3"]);
        server.wait("the code", |screen| screen.contains(URL) && screen.contains('█'));
        server.wait("the end of the invitation", |screen| screen.contains("/help"));
        is_scanned(&server);

        let answer = there.inside(|| {
            let mut stream = TcpStream::connect("10.77.0.1:9080").expect("the page is there");
            stream.write_all(b"GET / HTTP/1.1\r\nHost: 10.77.0.1:9080\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

        // The client shows the same, on another machine and on this one.
        for host in [there, here] {
            let client = host.wide_terminal(&["connect", "Sala 3", "--nick", "ana"]);
            client.wait("the prompt", |screen| last(screen) == "ana>");
            client.enters("/invite");
            client.wait("the code", |screen| screen.contains(URL) && screen.contains('█'));
            client.wait("the prompt", |screen| last(screen) == "ana>");
            is_scanned(&client);
            assert!(
                client.screen().contains("minichat connect 10.77.0.1\n"),
                "{}",
                client.screen()
            );
            client.enters("/quit");
        }
    });
}

#[test]
fn client_says_how_to_join_without_a_page_too() {
    on_a_lan(1, |lan| {
        let here = lan.host(1);
        let mut server = here.server(&["--name", "Sala 3", "--no-web"]);
        here.sees(&["Sala 3"]);
        let words = |arguments: &[&str]| {
            let arguments = [&["connect", "--nick", "bot"], arguments].concat();
            let output = here.run(&arguments, "/invite\n");
            assert_eq!(output.status, Some(0), "{}", output.stderr);
            // A pipe gets the conversation alone, without a drawing.
            assert!(!output.stdout.contains("minichat"), "{}", output.stdout);
            assert!(!output.stderr.contains(['█', '\x1b']), "{}", output.stderr);
            output.stderr
        };
        let named = words(&["Sala 3"]);
        assert!(named.contains("minichat connect \"Sala 3\""), "{named}");
        assert!(named.contains("This server has no page for browsers."), "{named}");
        let addressed = words(&["10.77.0.1"]);
        assert!(addressed.contains("  minichat connect 10.77.0.1\n"), "{addressed}");
        assert!(!addressed.contains("browser"), "an address does not tell of a page: {addressed}");
        server.signal("TERM");
        server.wait();

        let _server = here.server(&["--name", "Sala 4"]);
        here.sees(&["Sala 4"]);
        let named = words(&["Sala 4"]);
        assert!(named.contains(&format!("*   {URL}\n")), "{named}");
    });
}
