//! One request of a browser, up to its WebSocket.
//!
//! A visitor is no session: it asks for the page, or for something beside it, and leaves.
//! With a WebSocket it enters the room and is served like any other client from then on, by
//! a task of its own, which carries nothing of the request along.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_channel::Receiver;
use serde_json::json;
use smol::future::or;

use crate::server::Never;
use crate::server::hub::Hub;
use crate::server::origin::Origin;
use crate::server::reactor::Stream;
use crate::web::http::{self, MAX_HEAD, Request, Resource};
use crate::web::{code, page};

/// How long a request may take to arrive and its answer to be taken.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How many visitors may be answered at once. Each needs a descriptor.
pub const MAX_VISITORS: usize = 256;
/// The same for one address. This machine has no such limit.
const MAX_VISITORS_OF_ORIGIN: usize = 32;
/// How many bytes of a request are read at a time.
const READ: usize = 2 << 10;

/// The facts about the room for visitors.
pub struct Site {
    /// The room's title.
    pub title: String,
    /// The host name of this machine, by which browsers may reach it.
    pub host_name: String,
    /// The page's address for other machines, if one is known.
    pub url: Option<String>,
    /// The room may go on at another machine, and then the page goes there.
    pub moves: bool,
    /// The origins of the pages of those that have hosted the room before.
    pub former: Vec<String>,
    visitors: Mutex<Visitors>,
}

#[derive(Default)]
struct Visitors {
    count: usize,
    of_origin: BTreeMap<Option<Origin>, usize>,
}

impl Site {
    /// A site without visitors.
    pub fn new(title: String, host_name: String, url: Option<String>) -> Site {
        let visitors = Mutex::default();
        Site { title, host_name, url, moves: false, former: Vec::new(), visitors }
    }

    /// The site of a room that lives on the machines of its members. The pages of its former
    /// hosts may go on here.
    pub fn hosted(self, former: &[SocketAddr]) -> Site {
        let former = former.iter().map(|address| format!("http://{address}")).collect();
        Site { moves: true, former, ..self }
    }

    /// Counts a visitor, unless there are too many.
    fn admit(self: &Arc<Site>, origin: Option<Origin>) -> Option<VisitorGuard> {
        let mut visitors = self.visitors();
        let of_origin = visitors.of_origin.get(&origin).copied().unwrap_or(0);
        let crowded = origin.is_some() && of_origin >= MAX_VISITORS_OF_ORIGIN;
        if crowded || visitors.count >= MAX_VISITORS {
            return None;
        }
        visitors.count += 1;
        visitors.of_origin.insert(origin, of_origin + 1);
        Some(VisitorGuard { site: self.clone(), origin })
    }

    fn visitors(&self) -> MutexGuard<'_, Visitors> {
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page's address for the client that asks: the one that it used, unless it only
    /// leads to this machine.
    fn url_for(&self, host: &str) -> String {
        let only_here = ["localhost", "127.", "[::1]"].iter().any(|start| host.starts_with(start));
        match &self.url {
            Some(url) if only_here => url.clone(),
            _ => format!("http://{host}/"),
        }
    }

    fn answer(&self, request: &Request, people: usize) -> Vec<u8> {
        match &request.resource {
            Resource::Page => {
                http::answer(request, "text/html; charset=utf-8", &page::PAGE, self.moves)
            }
            Resource::Icon => http::answer(request, "image/svg+xml", page::ICON, false),
            Resource::Code => {
                let code = code::svg(&self.url_for(&request.host));
                http::answer(request, "image/svg+xml", &code, false)
            }
            Resource::About => {
                let about = json!({ "title": self.title, "people": people, "url": self.url });
                http::answer(request, "application/json", &about.to_string(), false)
            }
            Resource::Room(key) => http::switch_protocols(key),
        }
    }
}

/// A counted visitor.
struct VisitorGuard {
    site: Arc<Site>,
    origin: Option<Origin>,
}

impl Drop for VisitorGuard {
    fn drop(&mut self) {
        let mut visitors = self.site.visitors();
        visitors.count -= 1;
        if let Some(count) = visitors.of_origin.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                visitors.of_origin.remove(&self.origin);
            }
        }
    }
}

/// Answers one request of a browser, until its time is up or the server stops. Returns the
/// WebSocket, if the request was for one. This machine has no `origin`.
pub async fn serve<'a>(
    hub: &Hub,
    site: Arc<Site>,
    stream: Stream<'a>,
    origin: Option<Origin>,
    stopped: Receiver<Never>,
) -> Option<Stream<'a>> {
    let _visitor = site.admit(origin)?;
    let end = async {
        let timeout = stream.reactor().sleep(REQUEST_TIMEOUT);
        or(timeout, async { _ = stopped.recv().await }).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let upgraded = or(answer(hub, &site, &stream), end).await;
    upgraded.unwrap_or(false).then(|| stream.framed())
}

/// Reads a request and answers it. Returns whether a WebSocket follows.
async fn answer(hub: &Hub, site: &Site, stream: &Stream<'_>) -> io::Result<bool> {
    let mut bytes = Vec::new();
    let request = loop {
        poll_fn(|cx| stream.poll_readable(cx)).await;
        let mut buffer = [0; READ];
        match stream.receive(&mut buffer)? {
            Some(0) => return Ok(false),
            length => bytes.extend_from_slice(&buffer[..length.unwrap_or(0)]),
        }
        match http::read_for(&bytes, &site.host_name, &site.former) {
            Ok(None) if bytes.len() <= MAX_HEAD => (),
            Ok(None) => return Ok(false),
            Ok(Some(request)) => break Ok(request),
            Err(denied) => break Err(denied),
        }
    };
    let request = match request {
        Ok(request) => request,
        Err(denied) => {
            send(stream, &http::deny(denied)).await?;
            return part(stream).await;
        }
    };
    // A client may speak only after the answer, so nothing may follow its request.
    let upgrades = matches!(request.resource, Resource::Room(_));
    if upgrades && bytes.len() > request.length {
        return Ok(false);
    }
    let people = hub.lock().room.population();
    send(stream, &site.answer(&request, people)).await?;
    if upgrades { Ok(true) } else { part(stream).await }
}

async fn send(stream: &Stream<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.send(bytes)? {
            Some(sent) => bytes = &bytes[sent..],
            None => poll_fn(|cx| stream.poll_writable(cx)).await,
        }
    }
    Ok(())
}

/// Ends a connection so that the answer arrives: reads what the browser still sends,
/// because closing a socket with unread bytes would reset it.
async fn part(stream: &Stream<'_>) -> io::Result<bool> {
    stream.finish().await?;
    loop {
        poll_fn(|cx| stream.poll_readable(cx)).await;
        if stream.receive(&mut [0; READ])? == Some(0) {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places_of_visitors() {
        let site = Arc::new(Site::new("Sala 3".into(), String::new(), None));
        let origin = |last| Origin::of([10, 0, 0, last].into(), &[]);
        let mut visitors: Vec<VisitorGuard> = Vec::new();
        visitors.extend((0..MAX_VISITORS_OF_ORIGIN).map(|_| site.admit(origin(1)).unwrap()));
        assert!(site.admit(origin(1)).is_none());
        visitors.extend((0..100).map(|_| site.admit(None).expect("this machine has no limit")));
        let rest = MAX_VISITORS - visitors.len();
        visitors.extend((0..rest).map(|n| site.admit(origin(2 + (n / 32) as u8)).unwrap()));
        assert!(site.admit(None).is_none() && site.admit(origin(99)).is_none());
        visitors.clear();
        assert!(site.admit(origin(1)).is_some() && site.visitors().of_origin.is_empty());
    }

    #[test]
    fn visitor_on_this_machine_is_shown_the_address_for_others() {
        let site = |url: Option<&str>| Site::new(String::new(), String::new(), url.map(Into::into));
        let others = site(Some("http://10.0.0.1:9080/"));
        for (host, url) in [
            ("localhost:9080", "http://10.0.0.1:9080/"),
            ("127.0.0.1:9080", "http://10.0.0.1:9080/"),
            ("[::1]:9080", "http://10.0.0.1:9080/"),
            ("192.168.1.100:9080", "http://192.168.1.100:9080/"),
            ("pedro.local", "http://pedro.local/"),
        ] {
            assert_eq!(others.url_for(host), url);
        }
        assert_eq!(site(None).url_for("localhost:9080"), "http://localhost:9080/");
    }
}
