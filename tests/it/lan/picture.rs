//! The pictures in the READMEs: four people at their terminals, recorded.
//!
//! `cargo test --test it -- --ignored picture` has them type at the speed of people
//! and draws what their terminals show. Every `cargo test` has them type the same
//! without any pause, and compares.

mod drawing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Host, Lan, on_a_lan};
use crate::harness::{PATIENCE, minichat, state_home};
use crate::shells::tool;
use crate::tty::{Tty, last};
use drawing::Window;

/// The people, and with how many columns and rows: one runs the server, one has
/// minichat, one nothing but nc, and one just looks.
const SEATS: [(&str, (u16, u16)); 4] =
    [("pedro", (58, 13)), ("ana", (58, 17)), ("joao", (58, 11)), ("bia", (58, 7))];

/// Their lines, in one language.
struct Story {
    file: &'static str,
    locale: &'static str,
    name: &'static str,
    titles: [&'static str; 4],
    question: &'static str,
    answer: &'static str,
    private: &'static str,
    private_answer: &'static str,
    announcement: &'static str,
}

const STORIES: [Story; 2] = [
    Story {
        file: "docs/session.svg",
        locale: "C.UTF-8",
        name: "minichat: a server, and two people who join it",
        titles: ["pedro: the server", "ana: minichat", "joao: only nc", "bia: who is out there?"],
        question: "Hello! Does anybody have an HDMI cable?",
        answer: "I do, ana! I am here with plain nc",
        private: "thanks! coffee is on me",
        private_answer: "deal",
        announcement: "We start in five minutes",
    },
    Story {
        file: "docs/session.pt-BR.svg",
        locale: "pt_BR.UTF-8",
        name: "minichat: um servidor, e duas pessoas que entram",
        titles: ["pedro: o servidor", "ana: minichat", "joao: só o nc", "bia: quem está na rede?"],
        question: "Olá! Alguém tem um cabo HDMI?",
        answer: "Eu tenho, ana! Estou aqui só com o nc",
        private: "obrigada! o café é por minha conta",
        private_answer: "combinado",
        announcement: "Começamos em cinco minutos",
    },
];

/// How fast they are: from one key to the next, and from reading to typing.
#[derive(Clone, Copy)]
struct Pace {
    key: Duration,
    thought: Duration,
}

/// The slowest pace that is needed: keys that come faster are a paste.
const AT_ONCE: Pace = Pace { key: Duration::from_millis(20), thought: Duration::ZERO };
/// Another person wants to read along.
const LIKE_PEOPLE: Pace =
    Pace { key: Duration::from_millis(35), thought: Duration::from_millis(700) };

/// A person at a terminal.
struct Person {
    tty: Tty,
    pace: Pace,
}

impl Person {
    /// Sits down at a shell, which finds the binary by its name.
    fn sit_down(
        host: &Host,
        (cols, rows): (u16, u16),
        story: &Story,
        pace: Pace,
        nick: &str,
    ) -> Self {
        let binary = minichat();
        let folder = Path::new(binary.get_program()).parent().map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(folder.into_iter().chain(std::env::split_paths(&path)));
        let mut shell = Command::new("sh");
        for (name, _) in binary.get_envs() {
            shell.env_remove(name);
        }
        shell.envs(state_home()); // Each of them is here for the first time.
        shell.args(["-i"]).env("PS1", "$ ").env_remove("ENV").env("LC_ALL", story.locale);
        shell.env("USER", nick).env("PATH", path.expect("folders have no colon"));
        let tty = host.inside(|| Tty::launch(cols, rows, &mut shell));
        tty.wait("the shell", |screen| screen.trim_end() == "$");
        Person { tty, pace }
    }

    /// Thinks, and presses these keys.
    fn types(&self, keys: &str) {
        thread::sleep(self.pace.thought);
        for key in keys.chars() {
            self.tty.send(key.to_string());
            thread::sleep(self.pace.key);
        }
    }

    #[track_caller]
    fn sees(&self, text: &str) {
        self.tty.wait(&format!("{text:?}"), |screen| screen.replace('\n', " ").contains(text));
    }

    #[track_caller]
    fn sees_at_last(&self, text: &str) {
        self.tty.wait(&format!("{text:?} at the end"), |screen| last(screen) == text);
    }
}

/// Plays it on a network of four machines. What each of them has seen, column by column.
fn play(story: &Story, pace: Pace) -> [Window; 4] {
    let lan = Lan::new(4);
    let seats = [1, 2, 3, 4].map(|number| {
        let (nick, size) = SEATS[number - 1];
        Person::sit_down(lan.host(number), size, story, pace, nick)
    });
    let [pedro, ana, joao, bia] = &seats;

    pedro.types("minichat server --name \"Sala 3\"\r");
    pedro.sees("10.77.0.1 9000");
    pedro.sees_at_last(">");
    lan.host(2).sees(&["Sala 3"]);
    ana.types("minichat\r");
    // She is told where she is, and is asked for her name, at the same time.
    ana.sees("/help ");
    ana.sees("[ana]:");
    ana.types("\r");
    ana.sees_at_last("ana>");
    pedro.sees("+ ana 10.77.0.2 (1)");

    joao.types("nc 10.77.0.1 9000\r");
    joao.sees("NICK <your_nick>");
    joao.types("NICK joao\r");
    joao.sees("OK welcome joao");
    pedro.sees("+ joao 10.77.0.3 (2)");
    ana.sees("+ joao ");

    ana.types(&format!("{}\r", story.question));
    joao.sees(&format!("FROM ana [all]: {}", story.question));
    ana.sees(&format!("ana  {}", story.question));
    joao.types(&format!("MSG {}\r", story.answer));
    joao.sees(&format!("FROM joao [all]: {}", story.answer));
    ana.sees(&format!("joao  {}", story.answer));
    // TAB knows the last speakers.
    ana.types("@j\t");
    ana.sees_at_last("ana> @joao");
    ana.types(&format!("{}\r", story.private));
    joao.sees(&format!("FROM ana [dm]: {}", story.private));
    ana.sees(&format!("joao  {}", story.private));
    joao.types(&format!("MSG @ana {}\r", story.private_answer));
    ana.sees(story.private_answer);
    pedro.types(&format!("/say {}\r", story.announcement));
    [pedro, ana, joao].into_iter().for_each(|person| person.sees(story.announcement));
    // How many are there is announced every few seconds.
    let deadline = Instant::now() + PATIENCE;
    while !lan.host(4).discover(&[]).stdout.contains("\t2\t") {
        assert!(Instant::now() < deadline, "nobody is told that there are two");
    }
    bia.types("minichat discover\r");
    bia.sees("10.77.0.1:9000");
    bia.sees_at_last("$");
    ana.types("/who\r");
    ana.sees("(2): ana, joao");
    ana.sees_at_last("ana>");
    pedro.sees_at_last(">");
    thread::sleep(pace.thought);

    // The server on the left with the plain one, and beside what minichat shows.
    [0, 2, 1, 3]
        .map(|seat| Window::of(story.titles[seat], SEATS[seat].1, &seats[seat].tty.recording()))
}

fn path(story: &Story) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(story.file)
}

/// The text without the times in it, which are others every time.
fn timeless(text: &str) -> String {
    let is_time = |word: &str| {
        let mut parts = word.split(':');
        word.contains(':') && parts.all(|two| two.len() == 2 && two.parse::<u8>().is_ok())
    };
    let words = text.split_inclusive([' ', '\n']).map(|word| match is_time(word.trim_end()) {
        true => word.replace(|c: char| c.is_ascii_digit(), "0"),
        false => word.to_string(),
    });
    words.collect()
}

/// Records it and draws it.
fn draw(story: &Story) {
    let windows = play(story, LIKE_PEOPLE);
    fs::write(path(story), drawing::draw(story.name, &windows)).expect("it can be written");
}

/// Plays it and compares what is seen with the picture.
#[track_caller]
fn check(story: &Story) {
    let picture = fs::read_to_string(path(story)).expect("there is a picture");
    let windows = play(story, AT_ONCE);
    let (there, here) = (timeless(&drawing::text_in(&picture)), timeless(&drawing::text(&windows)));
    assert!(
        there == here,
        "{} is of another day; draw it again:\n\
        cargo test --test it -- --ignored picture\n{there}\nis not\n{here}",
        story.file
    );
}

#[test]
#[ignore = "it writes to docs/"]
fn draw_the_picture() {
    on_a_lan(0, |_| draw(&STORIES[0]));
}

#[test]
#[ignore = "it writes to docs/"]
fn draw_the_picture_in_portuguese() {
    on_a_lan(0, |_| draw(&STORIES[1]));
}

#[test]
fn the_picture_shows_what_is_seen_today() {
    let Some(_) = tool("nc") else { return };
    on_a_lan(0, |_| check(&STORIES[0]));
}

#[test]
fn the_picture_in_portuguese_shows_what_is_seen_today() {
    let Some(_) = tool("nc") else { return };
    on_a_lan(0, |_| check(&STORIES[1]));
}

#[test]
fn pictures_are_small_and_need_nothing_else() {
    for story in &STORIES {
        let picture = fs::read_to_string(path(story)).expect("there is a picture");
        assert!(picture.len() < 100_000, "{} has {} bytes", story.file, picture.len());
        for stranger in ["<script", "href", "url(", "@import", "@font-face"] {
            assert!(!picture.contains(stranger), "{} has {stranger}", story.file);
        }
    }
}
