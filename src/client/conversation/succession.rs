//! A hosted room has lost its host: this program finds the next one, or is it.

use std::future;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::num::NonZero;
use std::time::{Duration, Instant};

use smol::future::or;
use smol::{Async, LocalExecutor, Timer};

use crate::client::conversation::{Conversation, Ending};
use crate::client::encryption::Trust;
use crate::client::find::{self, FoundServer};
use crate::client::record::{Action, Kind, Record};
use crate::client::transport::Transport;
use crate::client::{opening, own_room};
use crate::discovery::Hosted;
use crate::hosting::Heir;
use crate::interrupt::Interrupts;
use crate::secure::Fingerprint;
use crate::takeover::{self, AGAIN, Answer, HOLD, Known, Marks, Seeker, Step, TRY, Token};
use crate::web;
use crate::wire::Event;

/// The search is not mentioned if it takes no longer than this.
const UNSEEN: Duration = Duration::from_secs(1);
/// How long a place may take to say its first line: a member that seeks lets visitors wait.
const FIRST_LINE: Duration = Duration::from_millis((HOLD.as_millis() + TRY.as_millis()) as u64);
/// How long a host may take to begin a channel.
const CHANNEL: Duration = Duration::from_secs(2);
/// How many pages of former hosts are remembered.
const MAX_FORMER: usize = 8;
/// The longest first line that is looked at, in bytes.
const MAX_LINE: usize = 200;

/// The result of a search for the next host.
enum Found {
    /// The host.
    Host(Box<(Transport, FoundServer)>),
    /// This program is the host.
    Own,
    /// Nobody that was known is there.
    None,
}

/// The facts with which the search begins.
struct Search<'a> {
    trust: &'a Trust,
    title: Option<String>,
    marks: Marks,
    /// The places that were told, and the keys of the programs there.
    keys: Vec<(SocketAddr, Fingerprint)>,
}

impl<'a> Conversation<'a> {
    /// The server's room is hosted: this program listens, too, if it may be the next host.
    pub(super) fn enter_hosted_room(&mut self) {
        self.is_hosted = true;
        if self.hosted.is_some() || !opening::may_go_on(self.config, self.terminal) {
            return;
        }
        if self.heir.is_none() {
            self.heir = Heir::listen().ok(); // The room does without one more heir.
        }
        if let (Some(heir), Some(host)) = (&self.heir, self.address) {
            heir.answer(host);
        }
        if let Some(host) = self.address {
            // Where a page is by default. The server may tell another port.
            let port = self.server.web.map(NonZero::get);
            let port = port.unwrap_or(host.port().saturating_add(web::PORT_OFFSET));
            self.former_pages.truncate(MAX_FORMER - 1);
            self.former_pages.insert(0, SocketAddr::new(host.ip(), port));
        }
    }

    /// Offers this program as the next host.
    pub(super) fn offer(&mut self) {
        if let Some(heir) = self.heir.as_ref().filter(|_| self.hosted.is_none()) {
            let (token, key) = (heir.token().to_string(), heir.fingerprint().to_hex());
            let offer = crate::wire::Command::Offer { port: heir.port(), token: &token, key: &key };
            self.unsent.extend_from_slice(format!("{offer}\n").as_bytes());
        }
    }

    /// Waits until another member has lost the host.
    pub(super) async fn doubt(&self) {
        match &self.heir {
            Some(heir) => heir.doubt().await,
            None => future::pending().await,
        }
    }

    /// Whether the room goes on without its host.
    pub(in crate::client) fn may_go_on(&self) -> bool {
        self.hosted.is_none() && self.dialogue.marks().is_some() && self.trust.is_encrypted()
    }

    /// Finds the next host, or is it. If neither works, the client comes back as to a server.
    pub(in crate::client) async fn go_on(
        &mut self,
        interrupts: &mut Interrupts,
    ) -> Result<Transport, Ending> {
        let Some(marks) = self.dialogue.marks() else {
            return self.come_back(&None, interrupts).await;
        };
        (self.lost, self.asking, self.stale, self.answered) = (false, false, false, false);
        self.unsent.clear();
        self.dead = None; // The host that comes next knows nothing of it.
        let is_lost =
            |action: &Action| matches!(action, Action::Show(Record { kind: Kind::Lost, .. }));
        let actions = self.dialogue.lost();
        let (mut hidden, actions) =
            actions.into_iter().partition(|action| is_lost(action) && self.terminal.is_interactive);
        if let Some(ending) = self.perform(actions) {
            return Err(ending);
        }
        self.print(interrupts).await?;
        if let Some(heir) = &self.heir {
            heir.hold().await;
        }
        let found = {
            let search = self.search(marks);
            let mut search = Box::pin(search);
            let late = Timer::after(UNSEEN);
            match self.until(search.as_mut(), Some(late), interrupts).await? {
                Some(found) => found,
                None => {
                    drop(search);
                    self.perform(mem::take(&mut hidden));
                    self.print(interrupts).await?;
                    // It begins anew: what it has learnt so far may have changed.
                    let search = Box::pin(self.search(marks));
                    let found = self.until(search, None, interrupts).await?;
                    found.unwrap_or(Found::None)
                }
            }
        };
        match found {
            Found::Host(host) => {
                let (transport, server) = *host;
                self.server = server;
                self.dialogue.moves(self.texts.client.room_moved);
                Ok(transport)
            }
            Found::Own => self.be_the_host(marks, interrupts).await,
            Found::None => {
                self.perform(hidden);
                self.print(interrupts).await?;
                self.look_for_room(marks, interrupts).await
            }
        }
    }

    /// Waits for something as long as nothing else happens: none if it takes too long.
    async fn until<T>(
        &self,
        work: impl Future<Output = T>,
        late: Option<Timer>,
        interrupts: &mut Interrupts,
    ) -> Result<Option<T>, Ending> {
        let interrupted = async { Err(Ending::Interrupted(interrupts.next().await)) };
        let unheard = async {
            self.printer.broken().await;
            Err(Ending::Unheard)
        };
        let late = async {
            match late {
                Some(late) => _ = late.await,
                None => future::pending().await,
            }
            Ok(None)
        };
        let work = async { Ok(Some(work.await)) };
        or(interrupted, or(unheard, or(work, late))).await
    }

    fn search(&self, marks: Marks) -> impl Future<Output = Found> + use<'a> {
        let heirs = self.dialogue.heirs().iter().filter_map(|heir| {
            let address: SocketAddr = heir.address.parse().ok()?;
            let key = Fingerprint::parse(&heir.key)?;
            is_near(address.ip()).then_some((heir.token, address, key))
        });
        let heirs: Vec<_> = heirs.collect();
        let mut keys: Vec<_> = heirs.iter().map(|(_, address, key)| (*address, *key)).collect();
        if let (Some(host), Some(key)) = (self.address, self.trust.fingerprint()) {
            keys.insert(0, (host, key));
        }
        let heirs = heirs.into_iter().map(|(token, address, _)| takeover::Heir { token, address });
        let me = self.heir.as_ref().map_or(Token(0), Heir::token);
        let known = self.address.map(|host| Known {
            room: Some(marks.room),
            host,
            heirs: heirs.collect(),
            me,
        });
        let search = Search { trust: self.trust, title: self.server.title.clone(), marks, keys };
        async move {
            match known {
                Some(known) => search.run(known).await,
                None => Found::None,
            }
        }
    }

    /// Opens the room on this machine, with all that was said.
    async fn be_the_host(
        &mut self,
        marks: Marks,
        interrupts: &mut Interrupts,
    ) -> Result<Transport, Ending> {
        let (Some(tail), true) =
            (self.dialogue.inherit(), opening::may_go_on(self.config, self.terminal))
        else {
            return self.come_back(&None, interrupts).await;
        };
        let marks =
            Hosted { room: marks.room.0, epoch: marks.epoch.saturating_add(1), born: marks.born };
        let title = self.server.title.clone();
        let heir = self.heir.take();
        let (config, texts, terminal) = (self.config, self.texts, self.terminal);
        let (room, knowledge) = ((title, marks, self.former_pages.clone()), (heir, tail));
        let opened = own_room::go_on(config, texts, terminal, room, knowledge);
        let room = match opened {
            Ok(room) => room,
            Err(_) => return self.come_back(&None, interrupts).await,
        };
        let joined = own_room::join(&room, config, texts, self.trust);
        match self.until(joined, None, interrupts).await? {
            Some(Ok((transport, server))) => {
                self.server = server;
                self.hosted = Some(room);
                (self.company, self.told_of_end) = (None, false);
                self.dialogue.moves(texts.client.room_held);
                Ok(transport)
            }
            _ => self.come_back(&None, interrupts).await,
        }
    }

    /// Looks for the room on the network. If it is nowhere, this program opens it again.
    async fn look_for_room(
        &mut self,
        marks: Marks,
        interrupts: &mut Interrupts,
    ) -> Result<Transport, Ending> {
        let keys: Vec<_> = self.dialogue.heirs().iter().map(|heir| heir.key.clone()).collect();
        let (config, server, trust) = (self.config, self.server.clone(), self.trust);
        let look = async move {
            let found = find::find_again(config, &server).await?;
            let is_same = found.hosted.is_some_and(|found| found.room == marks.room.0);
            let key = found.fingerprint.filter(|key| is_same && keys.contains(&key.to_hex()))?;
            let address = *found.addresses.first()?;
            let stream = connect(address).await.ok()?;
            let met = meet(trust, stream, &found, key).await?;
            Some((met, found))
        };
        match self.until(look, None, interrupts).await?.flatten() {
            Some((transport, server)) => {
                self.server = server;
                self.dialogue.moves(self.texts.client.room_moved);
                Ok(transport)
            }
            None => self.be_the_host(marks, interrupts).await,
        }
    }
}

impl Search<'_> {
    /// Does what the seeker says until it has found a host, or none.
    async fn run(self, known: Known<SocketAddr>) -> Found {
        let (mut seeker, mut step) = Seeker::new(known);
        let mut asked = None;
        loop {
            step = match step {
                Step::Try(targets) => {
                    let (next, stream) = try_all(&mut seeker, targets).await;
                    asked = stream;
                    next
                }
                Step::Ask(target) => {
                    let (answer, host) = match asked.take() {
                        Some(stream) => self.ask(target, stream).await,
                        None => (Answer::Nothing, None),
                    };
                    let step = seeker.answered(answer);
                    if let (Step::Join, Some(host)) = (&step, host) {
                        return Found::Host(Box::new(host));
                    }
                    step
                }
                Step::Pause => {
                    Timer::after(AGAIN).await;
                    seeker.next_round()
                }
                Step::Host => return Found::Own,
                Step::Look | Step::Wait | Step::Join => return Found::None,
            };
        }
    }

    /// Asks a place for its room. A host is taken for one only if it has the key that the
    /// last host has named for that place.
    async fn ask(
        &self,
        target: SocketAddr,
        stream: Async<TcpStream>,
    ) -> (Answer<SocketAddr>, Option<(Transport, FoundServer)>) {
        let late = async {
            Timer::after(FIRST_LINE).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        let Ok(line) = or(first_line(&stream), late).await else { return (Answer::Nothing, None) };
        if let Event::Elsewhere { token, address } = Event::parse(&line) {
            let address = address.and_then(|address| address.parse::<SocketAddr>().ok());
            let address = address.filter(|address| is_near(address.ip()));
            let answer = Token::parse(token).map(|token| Answer::Elsewhere(token, address));
            return (answer.unwrap_or(Answer::Nothing), None);
        }
        let key = self.keys.iter().find(|(address, _)| *address == target);
        let Some((_, key)) = key else { return (Answer::Nothing, None) };
        let Marks { room, epoch, born } = self.marks;
        let server = FoundServer {
            name: target.to_string(),
            addresses: vec![target],
            title: self.title.clone(),
            web: None,
            in_clear: true,
            fingerprint: Some(*key),
            hosted: Some(Hosted { room: room.0, epoch, born }),
        };
        match meet(self.trust, stream, &server, *key).await {
            Some(transport) => (Answer::Room(Some(room)), Some((transport, server))),
            None => (Answer::Nothing, None),
        }
    }
}

/// Begins a channel with a host that must have this key.
async fn meet(
    trust: &Trust,
    stream: Async<TcpStream>,
    server: &FoundServer,
    key: Fingerprint,
) -> Option<Transport> {
    trust.expect(Some(key));
    let met = trust.meet(Transport::plain(stream, Vec::new()), server, CHANNEL).await;
    trust.expect(None);
    met.ok().map(|(transport, _)| transport)
}

async fn connect(address: SocketAddr) -> io::Result<Async<TcpStream>> {
    let late = async {
        Timer::after(TRY).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(Async::<TcpStream>::connect(address), late).await
}

/// Tries all places at once, until the seeker knows what to do next. Returns the connection
/// that it wants to ask.
async fn try_all(
    seeker: &mut Seeker<SocketAddr>,
    targets: Vec<SocketAddr>,
) -> (Step<SocketAddr>, Option<Async<TcpStream>>) {
    let executor = LocalExecutor::new();
    let (sender, results) = async_channel::unbounded();
    for target in targets {
        let sender = sender.clone();
        let attempt = async move {
            // The search may have gone on.
            sender.send((target, connect(target).await.ok())).await.ok();
        };
        executor.spawn(attempt).detach();
    }
    drop(sender);
    let collect = async {
        let mut reached = Vec::new();
        while let Ok((target, stream)) = results.recv().await {
            let step = seeker.connected(&target, stream.is_some());
            reached.extend(stream.map(|stream| (target, stream)));
            match step {
                Step::Wait => (),
                Step::Ask(wanted) => {
                    let stream = reached.into_iter().find(|(target, _)| *target == wanted);
                    return (Step::Ask(wanted), stream.map(|(_, stream)| stream));
                }
                step => return (step, None),
            }
        }
        (Step::Look, None)
    };
    executor.run(collect).await
}

/// The first line that a place says. It is not taken from the socket.
async fn first_line(stream: &Async<TcpStream>) -> io::Result<String> {
    let mut bytes = [0; MAX_LINE];
    let began = Instant::now();
    loop {
        let length = stream.peek(&mut bytes).await?;
        let line = bytes[..length].split(|byte| *byte == b'\n').next().unwrap_or_default();
        if length == 0 && began.elapsed() < FIRST_LINE {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.len() < length || length == MAX_LINE {
            return Ok(String::from_utf8_lossy(line).trim_end().to_string());
        }
        // A part of a line stays readable.
        Timer::after(Duration::from_millis(10)).await;
    }
}

/// Whether an address that a stranger has named belongs to a local network.
fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_addresses_are_tried() {
        for near in ["10.0.0.1", "192.168.1.7", "169.254.1.1", "127.0.0.1", "fd00::1", "fe80::1"] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8", "0.0.0.0"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }
}
