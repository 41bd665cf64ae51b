//! Opening a room where there is none: whether that is wanted.

use std::time::Duration;

use smol::future::or;

use crate::client::terminal::Terminal;
use crate::config::{Connect, Format, Hosting, Target};
use crate::discovery::{Browser, shown};
use crate::error::Error;
use crate::texts::Texts;

/// The title of a room that was given none.
const TITLE: &str = "minichat";
/// How long to look for a room before one is opened: at least, and how much longer at most.
/// Two programs that start together do not both open one.
const LOOK: [Duration; 2] = [Duration::from_millis(1000), Duration::from_millis(300)];
/// The answer to the question whether to open a room.
pub(super) enum Answer {
    /// Open one.
    Yes,
    /// Open none.
    No,
    /// A room has shown meanwhile.
    Needless,
}

/// Whether this program may open a room: for a person that has named no server.
pub(super) fn may_open(config: &Connect, terminal: &Terminal) -> bool {
    let wanted = match config.hosting {
        Hosting::Always => true,
        Hosting::Ask => !config.auto,
        Hosting::Never => false,
    };
    let is_person = terminal.is_interactive && terminal.output_is_terminal;
    wanted && is_person && config.target == Target::Any && config.format == Format::Text
}

/// Whether this program may go on with a room of others when its host is gone.
pub(super) fn may_go_on(config: &Connect, terminal: &Terminal) -> bool {
    let is_person = terminal.is_interactive && terminal.output_is_terminal;
    let wanted = config.hosting != Hosting::Never && config.target == Target::Any;
    wanted && is_person && config.format == Format::Text
}

/// How long to look for a room before one is opened.
pub(super) fn look_time() -> Duration {
    let [least, more] = LOOK;
    least + more.mul_f64(fastrand::f64())
}

/// The title of the room that the user wants.
pub(super) fn title(config: &Connect) -> String {
    config.name.as_deref().map(shown).filter(|name| !name.is_empty()).unwrap_or(TITLE.into())
}

/// Asks whether to open a room. Looks for one meanwhile.
pub(super) async fn ask(
    browser: &mut Browser,
    mut is_meant: impl FnMut(&Browser) -> bool,
    texts: &Texts,
    terminal: &Terminal,
) -> Result<Answer, Error> {
    let words = &texts.client;
    loop {
        terminal.ask(words.open_room, "");
        let typed = async { Some(terminal.next().await) };
        let found = async {
            while !is_meant(browser) {
                browser.next().await;
            }
            None
        };
        let Some(line) = or(typed, found).await else {
            terminal.break_line(); // The cursor stands behind the question.
            return Ok(Answer::Needless);
        };
        let Some(line) = line.map_err(Error::Input)? else {
            terminal.break_line();
            return Ok(Answer::No);
        };
        let answer = String::from_utf8_lossy(&line.piece.bytes).trim().to_lowercase();
        match &*answer {
            "" => return Ok(Answer::Yes),
            yes if texts.encryption.yes.contains(&yes) => return Ok(Answer::Yes),
            no if words.no.contains(&no) => return Ok(Answer::No),
            _ => (), // It is asked again.
        }
    }
}
