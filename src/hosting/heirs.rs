//! Tries to reach the members that offer themselves as the next host, on a thread of its own.

use std::net::{IpAddr, SocketAddr};
use std::sync::Weak;
use std::time::Duration;

use async_channel::Receiver;
use smol::future::or;
use smol::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use smol::{Async, LocalExecutor, Timer};

use crate::hosting::best_address;
use crate::server::{Hub, Offer};
use crate::wire::Event;

/// How long a member may take to be reached and to say its token.
const DIAL: Duration = Duration::from_secs(1);
/// How often the thread looks whether the members are to be told of other heirs.
const TICK: Duration = Duration::from_millis(500);
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 200;

/// Tries each offer, and tells the members the heirs, until the hub is gone.
pub fn prove(offers: &Receiver<Offer>, hub: &Weak<Hub>) {
    let executor = LocalExecutor::new();
    let work = async {
        loop {
            let offer = async { offers.recv().await.ok() };
            let tick = async {
                Timer::after(TICK).await;
                None
            };
            let offer = or(offer, tick).await;
            let Some(open) = hub.upgrade() else { return };
            if let Some(offer) = offer {
                let place = open.lock().address(offer.id).and_then(|from| place(from, offer.port));
                if let Some(place) = place {
                    let hub = hub.clone();
                    executor.spawn(async move { dial(&offer, place, &hub).await }).detach();
                }
            }
            let mut access = open.lock();
            let now = access.now;
            access.room.tell_heirs(now);
        }
    };
    smol::block_on(executor.run(work));
}

/// Where others reach a member, as far as the host can tell. A member on the host's machine
/// has the host's address. A link-local IPv6 address means nothing to others.
fn place(from: SocketAddr, port: u16) -> Option<SocketAddr> {
    let ip = match from.ip().to_canonical() {
        ip if ip.is_loopback() => {
            let any = [SocketAddr::from(([0, 0, 0, 0], port)), SocketAddr::from(([0; 8], port))];
            best_address(&any).unwrap_or(ip)
        }
        IpAddr::V6(ip) if ip.is_unicast_link_local() => return None,
        ip => ip,
    };
    Some(SocketAddr::new(ip, port))
}

/// Connects to a member. If the same run of its program listens there, it is an heir.
async fn dial(offer: &Offer, place: SocketAddr, hub: &Weak<Hub>) {
    let late = async {
        Timer::after(DIAL).await;
        None
    };
    let answer = or(async { answer(place).await.ok() }, late).await;
    let answer = answer.as_deref().map(Event::parse);
    let token = offer.token.to_string();
    if let (Some(Event::Elsewhere { token: told, .. }), Some(hub)) = (answer, hub.upgrade())
        && told == token
    {
        let mut access = hub.lock();
        let now = access.now;
        access.room.prove(offer, &place.to_string());
        access.room.tell_heirs(now);
    }
}

/// The first line that is said at an address.
async fn answer(place: SocketAddr) -> std::io::Result<String> {
    let stream = Async::<std::net::TcpStream>::connect(place).await?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut line).await?;
    Ok(line.trim_end().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_of_an_heir_is_where_others_reach_it() {
        let check = |from: &str, expected: Option<&str>| {
            let expected = expected.map(|place| place.parse().unwrap());
            assert_eq!(place(from.parse().unwrap(), 9001), expected, "{from}");
        };
        check("192.168.1.7:50412", Some("192.168.1.7:9001"));
        check("[::ffff:192.168.1.7]:50412", Some("192.168.1.7:9001"));
        check("[fd00::7]:50412", Some("[fd00::7]:9001"));
        check("[fe80::7]:50412", None);
    }
}
