use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use super::*;
use crate::secure::channel::SEALED;
use crate::secure::{Identity, Key, answer};

/// The answer of a server to the first line.
#[derive(Clone)]
enum Script {
    Encrypts(Identity),
    /// It answers with these lines.
    Says(&'static str),
    /// It greets, and says nothing more.
    Greets,
}

/// A server for one client, and its address.
fn serve(script: &Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = script.clone();
    let serve = move || {
        let mut socket = listener.accept().unwrap().0;
        socket.write_all(b"New User.\n").unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        match script {
            Script::Encrypts(identity) => {
                let (line, mut channel) = answer(line.trim_end(), &identity).unwrap();
                socket.write_all(format!("{line}\n").as_bytes()).unwrap();
                channel.send(&socket, b"New User.\n", &mut [0; SEALED]).unwrap();
            }
            Script::Says(text) => socket.write_all(text.as_bytes()).unwrap(),
            Script::Greets => (),
        }
        lines.read_line(&mut line).ok(); // Until the client is gone.
    };
    thread::Builder::new().spawn(serve).unwrap();
    address
}

fn identity(temporary: bool) -> Identity {
    Identity { key: Key::generate(), title: "Sala 3".into(), temporary }
}

/// One user, and what the network tells about the server.
struct User {
    folder: PathBuf,
    trust: Trust,
    announced: Option<Fingerprint>,
}

impl User {
    fn new(name: &str) -> User {
        let name = format!("minichat-trust-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::remove_dir_all(&folder).ok();
        let trust = Trust::new(KnownServers::open(Some(&folder)), false, None);
        User { folder, trust, announced: None }
    }

    /// Another run of the program.
    fn again(&mut self, insists: bool) -> &mut User {
        self.trust = Trust::new(KnownServers::open(Some(&self.folder)), insists, None);
        self
    }

    fn meets(&self, script: &Script) -> Result<(Transport, Protection), Distrust> {
        let address = serve(script);
        // Each answers at once on an idle machine.
        let patience = match script {
            Script::Greets => Duration::from_millis(300),
            _ => Duration::from_secs(30),
        };
        let server = FoundServer {
            name: format!("Sala 3 ({address})"),
            addresses: vec![address],
            title: Some("Sala 3".into()),
            web: None,
            in_clear: true,
            fingerprint: self.announced,
            hosted: None,
        };
        smol::block_on(async {
            let transport = Transport::connect(address).await.unwrap();
            self.trust.meet(transport, &server, patience).await
        })
    }

    #[track_caller]
    fn is_protected(&self, script: &Script) -> Protection {
        self.meets(script).expect("it goes on").1
    }

    #[track_caller]
    fn refuses(&self, script: &Script) -> Distrust {
        match self.meets(script) {
            Err(distrust) => distrust,
            Ok((_, protection)) => panic!("it goes on: {protection:?}"),
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

const OLD: Script = Script::Says("ERR unknown_command\n");

#[test]
fn new_key_is_remembered_and_then_known() {
    let mut user = User::new("new");
    let sala = Script::Encrypts(identity(false));
    let Script::Encrypts(identity) = &sala else { unreachable!() };
    let print = identity.key.public.fingerprint();
    user.announced = Some(print);
    assert_eq!(user.is_protected(&sala), Protection::New(print));
    user.announced = None;
    assert!(
        matches!(user.again(false).is_protected(&sala), Protection::Known(known, _) if known == print)
    );
    // A record that announces another key does not lock the user out.
    user.announced = Some(Fingerprint([7; 16]));
    assert!(matches!(user.again(false).is_protected(&sala), Protection::Known(..)));
}

#[test]
fn new_key_that_is_not_the_announced_one_is_refused() {
    let mut user = User::new("announced");
    user.announced = Some(Fingerprint([7; 16]));
    let sala = Script::Encrypts(identity(false));
    assert!(matches!(user.refuses(&sala), Distrust::NotAnnounced));
    user.announced = None;
    assert!(matches!(user.again(false).is_protected(&sala), Protection::New(_)));
}

#[test]
fn other_key_is_refused_until_it_is_accepted() {
    let mut user = User::new("other");
    user.is_protected(&Script::Encrypts(identity(false)));
    let other = Script::Encrypts(identity(false));
    let Distrust::OtherKey(Some(since), key) = user.again(false).refuses(&other) else {
        panic!("it is another key");
    };
    assert!(since > 0);
    let server = FoundServer {
        name: String::new(),
        addresses: Vec::new(),
        title: Some("Sala 3".into()),
        web: None,
        in_clear: true,
        fingerprint: None,
        hosted: None,
    };
    user.trust.accept(&key);
    assert!(matches!(user.is_protected(&other), Protection::Known(..)));
    assert!(user.trust.forget(&server).unwrap());
    assert!(matches!(user.again(false).is_protected(&other), Protection::New(_)));
}

#[test]
fn temporary_key_is_known_for_one_run() {
    let mut user = User::new("temporary");
    let first = Script::Encrypts(identity(true));
    assert!(matches!(user.is_protected(&first), Protection::Temporary(_)));
    assert!(matches!(user.is_protected(&first), Protection::Temporary(_)));
    let other = Script::Encrypts(identity(true));
    assert!(matches!(user.refuses(&other), Distrust::OtherKey(None, _)));
    assert!(matches!(user.again(false).is_protected(&other), Protection::Temporary(_)));
}

#[test]
fn promised_encryption_is_never_given_up() {
    let mut user = User::new("promised");
    // Nothing promises it.
    for script in [OLD, Script::Says("ERR what?\n"), Script::Says("a\nb\nc\nd\n"), Script::Greets] {
        assert_eq!(user.is_protected(&script), Protection::None);
    }
    // The user wants it.
    assert!(matches!(user.again(true).refuses(&OLD), Distrust::Clear));
    assert!(matches!(user.refuses(&Script::Greets), Distrust::Lost(_)));
    // Discovery has told a key.
    user.announced = Some(Fingerprint([7; 16]));
    assert!(matches!(user.again(false).refuses(&OLD), Distrust::Clear));
    assert!(matches!(user.refuses(&Script::Says("a\nb\nc\nd\n")), Distrust::Clear));
    user.announced = None;
    // It was encrypted in this run, and in an earlier one.
    user.is_protected(&Script::Encrypts(identity(false)));
    assert!(matches!(user.refuses(&OLD), Distrust::Clear));
    assert!(matches!(user.again(false).refuses(&OLD), Distrust::Clear));
}

#[test]
fn answer_that_was_changed_is_no_answer() {
    let user = User::new("changed");
    let line = format!("SECURE 1 {}\n", "0".repeat(192));
    assert!(matches!(user.refuses(&Script::Says(line.leak())), Distrust::Changed));
}

#[test]
fn refusal_is_shown_and_nothing_is_said() {
    let mut user = User::new("refusal");
    for insists in [false, true] {
        let full = Script::Says("ERR room_full\n");
        let (transport, protection) = user.again(insists).meets(&full).unwrap();
        assert_eq!(protection, Protection::Refused);
        smol::block_on(async {
            let mut buffer = [0; 100];
            let count = transport.recv(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..count], b"New User.\nERR room_full\n");
            assert_eq!(transport.send(b"NICK ana\n").await.is_err(), insists);
        });
    }
}

#[test]
fn day_is_told_in_both_languages() {
    use crate::texts::{ENGLISH, PORTUGUESE};
    assert_eq!((ENGLISH.encryption.date)(12, 3, 2026), "12 March 2026");
    assert_eq!((PORTUGUESE.encryption.date)(12, 3, 2026), "12 de março de 2026");
    assert!(!date(i64::MAX, &ENGLISH.encryption).is_empty());
}
