//! Performs the actions of the dialogue: sends, prints and logs.

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use chrono::Local;
use smol::future::or;

use crate::client::conversation::{Conversation, Ending};
use crate::client::format::{Formatter, columns, format_raw};
use crate::client::notices::Presence;
use crate::client::record::{Action, Failure, Kind, Past, Record};
use crate::config::Target;
use crate::discovery;
use crate::error::Error;
use crate::interrupt::Interrupts;
use crate::invitation;
use crate::terminal::Prompt;
use crate::web;
use crate::wire::DEFAULT_PORT;
use crate::wire::sanitize::visible;

/// How many bytes may wait for a log that is slow, until some are left out.
const MAX_UNLOGGED: usize = 1 << 20;

impl Conversation<'_> {
    /// Does what the dialogue wants, as far as that needs no waiting.
    pub(super) fn perform(&mut self, actions: Vec<Action>) -> Option<Ending> {
        for action in actions {
            if self.asking && !matches!(action, Action::Send(_) | Action::AskNick { .. }) {
                self.asking = false;
                self.terminal.break_line(); // The cursor stands behind the question.
            }
            match action {
                Action::Send(line) => {
                    self.unsent.extend_from_slice(line.as_bytes());
                    self.unsent.push(b'\n');
                    self.progress = Instant::now();
                }
                Action::Show(record) => self.show(&record),
                Action::ShowRaw(line) if self.terminal.output_is_terminal => {
                    self.unprinted.extend_from_slice(format_raw(&line).as_bytes());
                }
                // Elsewhere, what came was printed as it came.
                Action::ShowRaw(_) => (),
                Action::ShowPast(past) => self.show_past(&past),
                Action::Presence(presence, nicks) => self.show_presence(presence, &nicks),
                Action::Hint(text) => self.tell(Formatter::format_hint, &text),
                Action::Note(text) => self.tell(Formatter::format_note, &text),
                Action::Refused(text) if !self.terminal.is_interactive => self.refuse(&text),
                Action::Refused(_) => (), // A person has read the answer itself.
                Action::Call { from, text } => {
                    if let Some(editor) = &self.terminal.editor {
                        editor.call(&from, &text);
                    }
                }
                Action::Ring => {
                    // Within the last line: behind it would be one more.
                    let end = self.unprinted.len().saturating_sub(1);
                    self.unprinted.insert(end, b'\x07');
                }
                Action::AskNick { suggested_nick, draft } => {
                    self.asking = true;
                    self.terminal.ask(&(self.texts.client.nickname)(&suggested_nick), &draft);
                }
                Action::Prompt(nick) => self.set_prompt(&nick),
                Action::Invite => self.invite(),
                Action::Key => self.terminal.remark(&format!("* {}", self.trust.key(self.texts))),
                Action::InRoom => self.enter_hosted_room(),
                Action::CaughtUp => self.offer(),
                // The line is painted anew below it.
                Action::Clear => self.unprinted.extend_from_slice(b"\x1b[H\x1b[J"),
                Action::End if self.lost || !self.unsent.is_empty() => {
                    return Some(self.fail(Failure::Lost));
                }
                Action::End => return Some(Ending::Done),
                Action::Fail(Failure::Lost) | Action::Stopped if self.comes_back() => {
                    self.stopped = matches!(action, Action::Stopped);
                    return Some(Ending::Away(None));
                }
                Action::Encrypts => {
                    self.trust.insist();
                    return Some(Ending::Unhurried);
                }
                Action::Unhurried => return Some(Ending::Unhurried),
                Action::Stopped => {
                    self.show(&Record { kind: Kind::Bye, ..Record::default() });
                    return Some(Ending::Done);
                }
                Action::Fail(Failure::Refused(why)) if self.comes_back() => {
                    return Some(Ending::Away(Some(why)));
                }
                Action::Fail(_) if self.stale && self.dialogue.is_registering() => {
                    return Some(Ending::Unhurried);
                }
                Action::Fail(failure) => return Some(self.fail(failure)),
            }
        }
        None
    }

    /// Tells the user something about the client itself, painted where there is an editor.
    pub(in crate::client) fn tell(&mut self, format: fn(&Formatter, &str) -> String, text: &str) {
        match (&self.formatter, &self.terminal.editor) {
            (Some(formatter), Some(_)) => {
                self.unprinted.extend_from_slice(format(formatter, text).as_bytes());
            }
            _ => self.terminal.remark(&format!("* {text}")),
        }
    }

    /// Shows how others join this server, and the code of its page on a screen for that.
    pub(super) fn invite(&mut self) {
        let texts = &self.texts.server;
        let address = self.address.filter(|address| !address.ip().is_loopback());
        let named = address.into_iter().chain(self.server.addresses.iter().copied());
        let ip = discovery::best_for_others(named.map(|address| address.ip()));
        let port = self.address.map_or(DEFAULT_PORT, |address| address.port());
        let mut words = String::new();
        if let Some(title) = &self.server.title {
            words += &invitation::by_name(title, texts);
        }
        if let Some(ip) = ip {
            words += &invitation::by_address(&[ip], port, self.server.in_clear, texts);
        }
        let mut code = Vec::new();
        match (ip, self.server.web) {
            (Some(ip), Some(web)) => {
                let url = web::url(SocketAddr::new(ip, web.get()));
                let (open, rows) = invitation::by_page(&url, !ip.is_loopback(), texts);
                words += &open;
                code = rows;
            }
            (_, None) if self.server.title.is_some() => words += texts.no_page_here,
            // Only a server that was found by its name tells of a page.
            _ => (),
        }
        for line in words.lines() {
            self.tell(Formatter::format_note, line);
        }
        if self.formatter.is_some() && self.terminal.editor.is_some() {
            for row in code {
                self.unprinted.extend_from_slice((row + "\n").as_bytes());
            }
        }
    }

    pub(super) fn show(&mut self, record: &Record) {
        if record.own || matches!(record.kind, Kind::Users | Kind::Welcome | Kind::Error) {
            self.progress = Instant::now();
        }
        if cfg!(debug_assertions)
            && record.kind == Kind::Welcome
            && env::var_os("MINICHAT_PANIC").is_some()
        {
            panic!("as the test wants");
        }
        let now = Local::now();
        let formatter = self.formatter.as_mut().expect("a raw dialogue shows raw lines");
        self.unprinted.extend_from_slice(formatter.format(record, now).as_bytes());
        if self.log.is_some() {
            self.unlogged.extend_from_slice(columns(record, now, false).as_bytes());
        }
    }

    /// Shows what was said earlier. The log gets what it has missed.
    fn show_past(&mut self, past: &Past) {
        self.progress = Instant::now();
        let formatter = self.formatter.as_mut().expect("a raw dialogue shows raw lines");
        self.unprinted.extend_from_slice(formatter.format_past(past, Local::now()).as_bytes());
        if self.log.is_some() && past.is_new {
            for line in &past.lines {
                let row = columns(&line.record(), line.time(), false);
                self.unlogged.extend_from_slice(row.as_bytes());
            }
        }
    }

    pub(super) fn show_presence(&mut self, presence: Presence, nicks: &[String]) {
        let now = Local::now();
        let formatter = self.formatter.as_mut().expect("a raw dialogue shows raw lines");
        self.unprinted
            .extend_from_slice(formatter.format_presence(presence, nicks, now).as_bytes());
        if self.log.is_some() {
            let kind = if presence == Presence::Joined { Kind::Joined } else { Kind::Left };
            for nick in nicks {
                let record = Record { kind, from: Some(nick.clone()), ..Record::default() };
                self.unlogged.extend_from_slice(columns(&record, now, false).as_bytes());
            }
        }
    }

    /// Tells a program that something was not said.
    pub(super) fn refuse(&mut self, what: &str) {
        self.refused = true;
        self.terminal.remark(&format!("minichat: {what}"));
    }

    pub(super) fn set_prompt(&self, nick: &str) {
        if let Some(editor) = &self.terminal.editor {
            let text = format!("{}> ", visible(nick));
            editor.set_prompt(Prompt { text, ..Prompt::default() });
        }
    }

    /// Prints what is to be printed, as soon as there is room.
    pub(super) async fn print(&mut self, interrupts: &mut Interrupts) -> Result<(), Ending> {
        if let (Some(editor), Some(nicks)) = (&self.terminal.editor, self.dialogue.changed_nicks())
        {
            editor.set_nicks(nicks);
        }
        if let Some(log) = self.log.as_ref().filter(|_| !self.unlogged.is_empty()) {
            self.unlogged = log.offer(std::mem::take(&mut self.unlogged));
            if self.unlogged.len() > MAX_UNLOGGED {
                self.unlogged = Vec::new();
                let path = self.config.log.as_deref().unwrap_or(Path::new(""));
                let gap = (self.texts.server.log_gap)(&visible(&path.display().to_string()));
                self.terminal.remark(&(self.texts.server.warning)(&gap));
            }
        }
        if self.unprinted.is_empty() {
            self.remember_place();
            return Ok(());
        }
        let text = std::mem::take(&mut self.unprinted);
        let interrupted = async { Err(Ending::Interrupted(interrupts.next().await)) };
        let print = async {
            self.printer.print(text).await;
            Ok(())
        };
        or(interrupted, print).await?;
        self.remember_place();
        Ok(())
    }

    /// Remembers the place up to which all was printed.
    fn remember_place(&mut self) {
        let Some(since) = &self.since else { return };
        let known = self.remembered.as_ref().map(|(term, number)| (term.as_str(), *number));
        if let Some((term, number)) = self.dialogue.place().filter(|place| Some(*place) != known) {
            since.remember((term, number));
            self.remembered = Some((term.into(), number));
        }
    }

    /// Ends, and names what may be lost.
    fn fail(&mut self, failure: Failure) -> Ending {
        if failure == Failure::Lost {
            let unheard = self.dialogue.unheard();
            self.perform(unheard);
        }
        Ending::Failed(self.explain(failure))
    }

    fn explain(&self, failure: Failure) -> Error {
        let server = self.server.name.clone();
        match failure {
            Failure::NoNick => Error::NoNick,
            Failure::Utf16 => Error::Utf16,
            Failure::Nick(nick, why) => Error::Nick(nick, why),
            Failure::Refused(why) => Error::Refused(server, why),
            Failure::Lost => {
                let again = match &self.config.target {
                    Target::Any => "minichat".to_string(),
                    Target::Named(name) => format!("minichat connect {name:?}"),
                    Target::Host(..) => format!("minichat connect {server}"),
                };
                Error::Lost(server, again)
            }
        }
    }
}
