//! The room that this program carries: opened, shown to the host, and closed.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use smol::future::or;

use crate::client::connect::reach_in_time;
use crate::client::encryption::Trust;
use crate::client::find::FoundServer;
use crate::client::opening;
use crate::client::terminal::{self, Terminal};
use crate::client::transport::Transport;
use crate::config::Connect;
use crate::discovery::{Hosted, News};
use crate::error::Error;
use crate::hosting::{Heir, HostedRoom, Plan};
use crate::interrupt::Interrupts;
use crate::invitation;
use crate::takeover::Tail;
use crate::terminal::Editor;
use crate::texts::Texts;
use crate::web;
use crate::wire::{DEFAULT_PORT, GOES_ON, LAST_LINE};

/// Opens a room, and joins it like anybody.
pub(super) async fn open(
    config: &Connect,
    texts: &'static Texts,
    terminal: &Terminal,
    trust: &Trust,
) -> Result<(Transport, FoundServer, HostedRoom), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let plan = Plan {
        title: opening::title(config),
        interface: config.interface.clone(),
        marks: Hosted::new(now.as_secs()),
        former_pages: Vec::new(),
        heir: None,
        tail: None,
    };
    let room = start(plan, texts, terminal)?;
    let (transport, server) = join(&room, config, texts, trust).await?;
    invite(&room, texts, terminal);
    Ok((transport, server, room))
}

/// Goes on with a room whose host is gone: its title, its marks, the pages of its hosts, this
/// program's sockets, and what was said.
pub(super) fn go_on(
    config: &Connect,
    texts: &'static Texts,
    terminal: &Terminal,
    (title, marks, former_pages): (Option<String>, Hosted, Vec<SocketAddr>),
    (heir, tail): (Option<Heir>, Tail),
) -> Result<HostedRoom, Error> {
    let title = title.unwrap_or_else(|| opening::title(config));
    let interface = config.interface.clone();
    let tail = Some(tail);
    let plan = Plan { title, interface, marks, former_pages, heir, tail };
    start(plan, texts, terminal)
}

fn start(plan: Plan, texts: &'static Texts, terminal: &Terminal) -> Result<HostedRoom, Error> {
    let (editor, remarks) = (terminal.editor.clone(), terminal.remarks.clone());
    let tell = move |news: News| {
        let what = match news {
            News::Announced => return,
            News::Hidden(why) => (texts.server.hidden)(why.tell(texts)),
            News::NotOn(links) => (texts.server.not_on)(&links.join(", ")),
        };
        terminal::remark(editor.as_ref(), &remarks, &(texts.server.warning)(&what));
    };
    HostedRoom::open(plan, tell)
}

/// Joins this program's own room, like anybody.
pub(super) async fn join(
    room: &HostedRoom,
    config: &Connect,
    texts: &Texts,
    trust: &Trust,
) -> Result<(Transport, FoundServer), Error> {
    trust.trust_own(room.key());
    let server = own(room);
    let transport = reach_in_time(&server.addresses, 1, config.timeout).await;
    let port = server.addresses.first().map_or(DEFAULT_PORT, SocketAddr::port);
    let transport = transport.map_err(|err| Error::Connect(server.name.clone(), port, err))?;
    let met = trust.meet(transport, &server, config.timeout).await;
    let (transport, _) = met.map_err(|distrust| distrust.into_error(&server, texts))?;
    Ok((transport, server))
}

/// The server of this program's own room.
pub(super) fn own(room: &HostedRoom) -> FoundServer {
    FoundServer {
        name: room.title().into(),
        addresses: room.addresses(),
        title: Some(room.title().into()),
        web: room.page(),
        in_clear: true,
        fingerprint: Some(room.key().fingerprint()),
        hosted: Some(room.marks()),
    }
}

/// Tells the host that they are one, and how others join.
fn invite(room: &HostedRoom, texts: &Texts, terminal: &Terminal) {
    let addresses = room.addresses();
    terminal.remark(&format!("* {}", texts.client.opened));
    let best = addresses.last().filter(|address| !address.ip().is_loopback());
    let ips: Vec<_> = best.into_iter().map(SocketAddr::ip).collect();
    let mut words = invitation::by_address(&ips, addresses[0].port(), true, &texts.server);
    let mut code = Vec::new();
    if let (Some(best), Some(port)) = (best, room.page()) {
        let url = web::url(SocketAddr::new(best.ip(), port.get()));
        let (open, rows) = invitation::by_page(&url, true, &texts.server);
        words += &open;
        code = rows;
    }
    words.lines().for_each(|line| terminal.remark(line));
    if let Some(editor) = &terminal.editor {
        editor.stay();
        draw(editor, &code);
    }
}

/// Shows the rows of a code, which must not be broken.
fn draw(editor: &Editor, rows: &[String]) {
    if !rows.is_empty() {
        editor.print(&(rows.join("\n") + "\n")).ok(); // The words say the same.
    }
}

/// Ends the room of this program. A second request to stop waits for nothing.
pub(super) async fn close(room: HostedRoom, interrupts: &mut Interrupts) {
    let interrupted = async {
        interrupts.next().await;
    };
    let last_line = room.next().map(|next| format!("{GOES_ON}{next}"));
    or(interrupted, room.close(last_line.as_deref().unwrap_or(LAST_LINE))).await;
}
