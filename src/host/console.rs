//! The operator's side: what the server's own terminal shows, and what is ordered
//! there.

mod crowd;

use std::fmt::Write as _;
use std::future::poll_fn;
use std::io::{self, IsTerminal, Write};
use std::iter;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, TryRecvError};
use chrono::{Local, Timelike as _};
use smol::Timer;
use smol::future::or;

use crate::config::Color;
use crate::error;
use crate::host::operator::{self, OperatorCommand};
use crate::hosting::{addresses_for_others, best_address, reachable};
use crate::interrupt::Trigger;
use crate::invitation;
use crate::screen::{self, Stream};
use crate::server::{
    Change, EvictReason, Eviction, Followed, FollowerId, Hub, MemberChange, Report, Suspect,
};
use crate::stdio::{self, Stderr};
use crate::terminal::{self, Editor, LAST_LINES, Prompt, Purpose, Typed};
use crate::texts::{self, Texts};
use crate::web;
use crate::wire::sanitize::visible;
use crate::wire::{Event, Nick, Scope};
use crowd::{Brake, Crowd};

/// How long a report may wait without being seen to be late.
const BLINK: Duration = Duration::from_millis(10);

/// The same while members come or go in a crowd, and are told together later.
const GATHER: Duration = Duration::from_millis(50);

/// Standard output, and the line editor on it if there is one. Clones are the same
/// one.
#[derive(Clone)]
pub struct Console {
    editor: Option<Editor>,
    /// Nothing but errors is wanted.
    quiet: bool,
    texts: &'static Texts,
    /// Where the server listens and under which title, for `/invite`.
    invitation: Arc<OnceLock<Invitation>>,
    /// Whether the name is announced now.
    announced: Arc<AtomicBool>,
    /// Whether what is said is shown; none before anybody asked for it.
    listening: Arc<Mutex<Option<Arc<AtomicBool>>>>,
}

/// Where orders come from.
pub enum CommandSource {
    /// From nowhere.
    None,
    /// From a terminal that can do no more than that.
    Lines,
    /// From the line editor.
    Editor(Receiver<Typed>),
}

impl Console {
    /// Looks what there is. A Ctrl-C that is only a key pulls `interrupt`.
    pub fn open(
        quiet: bool,
        interrupt: Trigger,
        texts: &'static Texts,
    ) -> (Console, CommandSource) {
        let (invitation, listening, announced) = Default::default();
        let plain = Console { editor: None, quiet, texts, invitation, announced, listening };
        if quiet || !io::stdin().is_terminal() || !terminal::is_ours() {
            return (plain, CommandSource::None);
        }
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let colour = Color::default().is_wanted(true, variable);
        colored::control::set_override(colour);
        let purpose = || Purpose {
            commands: operator::commands(&texts.operator).to_vec(),
            addresses: false,
            colour,
            notifies: false,
            interrupt,
            garbled: texts.client.garbled,
            texts: &texts.terminal,
        };
        let started = terminal::is_capable().then(|| Editor::start(purpose()).ok()).flatten();
        match started {
            Some((editor, typed)) => {
                (Console { editor: Some(editor), ..plain }, CommandSource::Editor(typed))
            }
            None => (plain, CommandSource::Lines),
        }
    }

    /// Lets the operator type, if there is an editor.
    pub fn begin(&self) {
        if let Some(editor) = &self.editor {
            editor.set_prompt(Prompt { text: "> ".into(), ..Prompt::default() });
        }
    }

    /// Gives the terminal back as it was found.
    pub fn give_back(&self) {
        self.finish("", Instant::now() + LAST_LINES);
    }

    /// The same, and ends with these lines: until the deadline, if it takes them.
    fn finish(&self, last_lines: &str, deadline: Instant) {
        match &self.editor {
            Some(editor) => {
                editor.finish(&screen::fit(last_lines, Stream::Output), deadline);
            }
            None => self.print(last_lines),
        }
    }

    /// Prints some lines now. A terminal or pipe that is gone is no reason to stop
    /// the chat.
    pub fn print(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let rows = screen::fit(text, Stream::Output);
        let printed = match &self.editor {
            Some(editor) => editor.print(&rows),
            None => terminal::write_out(&rows),
        };
        printed.ok();
    }

    /// Prints rows that must not be broken.
    pub fn draw(&self, rows: &[String]) {
        if rows.is_empty() {
            return;
        }
        let rows = rows.join("\n") + "\n";
        let printed = match &self.editor {
            Some(editor) => editor.print(&rows),
            None => terminal::write_out(&rows),
        };
        printed.ok(); // As with any line.
    }

    /// Prints a line on standard error, or where it disturbs nothing, after the news
    /// so far.
    fn complain(&self, news: &mut String, text: &str) {
        self.print(&mem::take(news));
        match &self.editor {
            Some(_) => self.print(&format!("{text}\n")),
            None => drop(writeln!(Stderr, "{}", screen::fit(text, Stream::Error))),
        }
    }

    /// Prints reports until no more can come.
    ///
    /// It has a thread of its own: a terminal that is held with Ctrl-S stops this
    /// one alone.
    pub fn show(&self, reports: Receiver<Report>, hub: &Weak<Hub>) {
        let texts = &self.texts.server;
        let (mut brake, mut crowd) = (Brake::default(), Crowd::default());
        let more = |kept| format!("! {}", (texts.more_cut)(kept));
        loop {
            let report = async { reports.recv().await.map_err(|_| TryRecvError::Closed) };
            let first = match brake.due().into_iter().chain(crowd.due()).min() {
                // Even if nothing happens any more, it is told how many there were.
                Some(due) => smol::block_on(or(report, async {
                    Timer::at(due).await;
                    Err(TryRecvError::Empty)
                })),
                None => smol::block_on(report),
            };
            if matches!(first, Err(TryRecvError::Closed)) {
                return;
            }
            let mut news = String::new();
            if let Some(kept) = brake.kept() {
                self.complain(&mut news, &more(kept));
            }
            if let Some(gathered) = crowd.take_late(texts) {
                news += &gathered;
            }
            let others = iter::from_fn(|| reports.try_recv().ok()).take(reports.len());
            for report in first.into_iter().chain(others) {
                let time = clock();
                match report {
                    Report::Change(change, address) if !self.quiet => {
                        if !crowd.holds(&change) {
                            news += &crowd.take(texts);
                            writeln!(news, "{time} {}", tell(&change, address, texts))
                                .expect("a string takes all it is given");
                        }
                    }
                    Report::Change(..) => (),
                    Report::Suspected(Suspect { nick, muted, certain }) => {
                        let say = if certain { texts.muted_again } else { texts.perhaps_muted };
                        let what = say(nick.as_str(), muted.as_str());
                        news += &crowd.take(texts);
                        self.complain(&mut news, &format!("{time} ! {what}"));
                    }
                    Report::Stopped(members, deadline) => {
                        if let Some(kept) = brake.release() {
                            self.complain(&mut news, &more(kept));
                        }
                        if !self.quiet {
                            news += &crowd.take(texts);
                            self.print(&mem::take(&mut news));
                            self.finish(&((texts.stopped)(members) + "\n"), deadline);
                        }
                    }
                    Report::OneRoom(servers, people) if !self.quiet => {
                        news += &((texts.one_room)(servers, people) + "\n");
                    }
                    Report::OneRoom(..) => (),
                    Report::OtherVersion(version) => {
                        let what = (texts.other_version)(version);
                        self.complain(&mut news, &(texts.warning)(&what));
                    }
                    Report::Notice(what) if !self.quiet => news += &what,
                    Report::Notice(_) => (),
                    Report::Warning(what) => self.complain(&mut news, &(texts.warning)(&what)),
                    Report::Evicted(..) if brake.holds() => (),
                    Report::Evicted(eviction, address) => {
                        let text = explain(&eviction, address, texts);
                        self.complain(&mut news, &format!("{time} ! {text}"));
                    }
                }
            }
            if !news.is_empty() {
                self.set_nicks(hub); // A nick that is seen can be completed.
                self.print(&news);
            }
            // A report that comes meanwhile is shown with the others.
            thread::sleep(if crowd.due().is_some() { GATHER } else { BLINK });
        }
    }

    /// Tells the editor the nicks of the members.
    fn set_nicks(&self, hub: &Weak<Hub>) {
        let (Some(editor), Some(hub)) = (&self.editor, hub.upgrade()) else { return };
        let nicks = hub.lock().room.members().map(|(_, nick)| nick.to_string()).collect::<Vec<_>>();
        editor.set_nicks(nicks);
    }

    /// Does what the operator types, line by line, for as long as there is a hub.
    pub fn run_commands(&self, orders: CommandSource, hub: &Weak<Hub>) {
        match orders {
            CommandSource::None => (),
            CommandSource::Lines => {
                for line in stdio::lines() {
                    let line = match line {
                        Ok(line) => line,
                        Err(err) => {
                            let why = error::plain(&err, &self.texts.error);
                            let what = (self.texts.server.no_orders)(&why);
                            let warning = (self.texts.server.warning)(&what);
                            return self.complain(&mut String::new(), &warning);
                        }
                    };
                    // No order is so long.
                    if line.begins
                        && line.ends
                        && !self.give(hub, &String::from_utf8_lossy(&line.bytes))
                    {
                        return;
                    }
                    if line.begins && !line.ends {
                        self.print(&format!("{}\n", self.texts.client.line_too_long));
                    }
                }
            }
            CommandSource::Editor(typed) => {
                while let Ok(typed) = typed.recv_blocking() {
                    match typed {
                        Typed::Line { text, .. } => {
                            for line in text.lines() {
                                if !self.give(hub, line) {
                                    return;
                                }
                            }
                        }
                        Typed::End => self.print(&format!("{}\n", self.texts.operator.ends)),
                    }
                }
            }
        }
    }

    /// Whether `/invite` shows the title: only while it is announced.
    pub fn set_announced(&self, announced: bool) {
        self.announced.store(announced, Ordering::Relaxed);
    }

    /// Shows how to join, now and whenever `/invite` asks.
    pub fn invite(&self, invitation: Invitation, orders: bool) {
        let Invitation { listening, title, key, in_clear, .. } =
            self.invitation.get_or_init(|| invitation);
        let title = title.as_deref().filter(|_| self.announced.load(Ordering::Relaxed));
        let texts = &self.texts.server;
        self.print(&how_to_join(listening, title, *in_clear, texts));
        self.show_page(None);
        self.print(&format!("{key}\n"));
        let notes = if orders { texts.notes_and_orders } else { texts.notes };
        self.print(&format!("{notes}\n"));
    }

    /// Shows how to join with a browser: the page's address and its code. With an address,
    /// that of another network.
    fn show_page(&self, address: Option<IpAddr>) {
        let Some(Invitation { listening, page, .. }) = self.invitation.get() else { return };
        let Some(port) = *page else { return };
        if let Some(ip) = address.or_else(|| best_address(listening)) {
            let url = web::url(SocketAddr::new(ip, port));
            let (words, code) = invitation::by_page(&url, !ip.is_loopback(), &self.texts.server);
            self.print(&words);
            self.draw(&code);
        }
    }

    /// Shows what is said from now on, or no longer. Returns which.
    fn toggle_listening(&self, hub: &Arc<Hub>) -> &'static str {
        let texts = &self.texts.operator;
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = match &*listening {
            Some(shown) => !shown.fetch_not(Ordering::SeqCst),
            None => {
                let shown = Arc::new(AtomicBool::new(true));
                let (console, hub, follows) = (self.clone(), hub.clone(), shown.clone());
                let id = hub.follow();
                let follow = move || console.follow_talk(&hub, id, &follows);
                let started = thread::Builder::new().spawn(follow).is_ok();
                *listening = started.then_some(shown);
                started
            }
        };
        if shown { texts.listens } else { texts.listens_no_more }
    }

    /// Shows what is said to all, while that is wanted, until the room is closed.
    fn follow_talk(&self, hub: &Hub, id: FollowerId, shown: &AtomicBool) {
        let mut heard = Vec::new();
        loop {
            let followed = smol::block_on(poll_fn(|cx| hub.poll_follow(id, &mut heard, cx)));
            let end = heard.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            if shown.load(Ordering::SeqCst) {
                self.print(&talk(&String::from_utf8_lossy(&heard[..end])));
            }
            heard.drain(..end);
            match followed {
                Followed::Closed => return,
                // The terminal was so slow that the talk has gone on without it.
                Followed::Gap => heard.clear(),
                Followed::Some | Followed::Nothing => (),
            }
        }
    }

    /// Gives one order. `false` when the server is gone.
    fn give(&self, hub: &Weak<Hub>, line: &str) -> bool {
        let Some(hub) = hub.upgrade() else { return false };
        let replies = match OperatorCommand::parse(line) {
            Ok(OperatorCommand::Listen) => vec![self.toggle_listening(&hub).to_string()],
            Ok(OperatorCommand::Invite(None)) => {
                self.print_order(line);
                let Some(known) = self.invitation.get() else { return true };
                self.invite(known.clone(), true);
                return true;
            }
            Ok(OperatorCommand::Invite(address)) => {
                self.print_order(line);
                if self.invitation.get().is_some_and(|known| known.page.is_none()) {
                    self.print(self.texts.server.no_page_here);
                }
                self.show_page(address);
                return true;
            }
            _ => operator::give(&hub, &self.texts.operator, line),
        };
        drop(hub);
        if replies.is_empty() {
            return true;
        }
        self.print_order(line);
        self.print(&replies.into_iter().map(|line| line + "\n").collect::<String>());
        true
    }

    /// Shows an order again that was typed in an editor, where it is gone.
    fn print_order(&self, line: &str) {
        if self.editor.is_some() {
            self.print(&format!("> {}\n", visible(line)));
        }
    }
}

/// The facts that people need to join.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Where the server listens for the chat.
    pub listening: Vec<SocketAddr>,
    /// The title under which it is announced, if it is.
    pub title: Option<String>,
    /// The port of the page for browsers, if there is one.
    pub page: Option<u16>,
    /// The key by which others know the server, in words, and the password of a closed room.
    pub key: String,
    /// Whether people can join unencrypted, as with `nc`.
    pub in_clear: bool,
}

/// Says which client was cut off, and why.
fn explain(eviction: &Eviction, address: SocketAddr, texts: &texts::Server) -> String {
    let who = eviction.nick.as_ref().map_or(texts.guest, Nick::as_str);
    let what = match eviction.reason {
        EvictReason::Behind => (texts.behind)(eviction.behind),
        EvictReason::Stalled => (texts.stalled)(eviction.behind),
        EvictReason::Lost => (texts.lost)(eviction.behind),
        EvictReason::Displaced => texts.evicted.to_string(),
        EvictReason::Failed => texts.failed.to_string(),
        EvictReason::Replaced => texts.resumed.to_string(),
    };
    (texts.cut)(who, &address.ip().to_string(), &what)
}

/// The time of day. Two digits are no reason to carry a formatter of dates.
fn clock() -> String {
    let now = Local::now();
    format!("{:02}:{:02}:{:02}", now.hour(), now.minute(), now.second())
}

/// The last public lines, in lines for the operator: the time, the nick, and the text.
fn talk(lines: &str) -> String {
    let time = clock();
    let said = lines.lines().filter_map(|line| match Event::parse(line) {
        Event::Message { from, scope: Scope::All, text } => {
            Some(format!("{time} {}: {}\n", visible(from), visible(text)))
        }
        _ => None,
    });
    said.collect()
}

fn tell(change: &MemberChange, address: SocketAddr, texts: &texts::Server) -> String {
    let (ip, members) = (address.ip(), change.members);
    match &change.what {
        Change::Joined(nick) => format!("+ {nick} {ip} ({members})"),
        Change::Left(nick) => format!("- {nick} {ip} ({members})"),
        Change::Renamed(old, new) => {
            format!("= {} {ip} ({members})", (texts.renamed)(old.as_str(), new.as_str()))
        }
        Change::Resumed(_, nick) => format!("= {nick} {} {ip} ({members})", texts.resumed),
    }
}

/// The facts that a person needs to join from another machine, or from this one if it is
/// the only one that can.
fn how_to_join(
    listening: &[SocketAddr],
    title: Option<&str>,
    in_clear: bool,
    texts: &texts::Server,
) -> String {
    let addresses = reachable(listening, &addresses_for_others());
    let name = title.map(|title| invitation::by_name(title, texts)).unwrap_or_default();
    name + &invitation::by_address(&addresses, listening[0].port(), in_clear, texts)
}
