//! Looking for servers where multicast does not get through: by trying the
//! addresses of the local networks one by one.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use smol::future::or;
use smol::{Async, Timer};

use crate::discovery::{Encryption, Interface, Server};

/// How long one address has to answer; on a local network that is plenty.
pub const SCAN_TIME: Duration = Duration::from_millis(300);
/// How many networks are scanned, so that a machine with many bridges does not
/// knock on thousands of doors.
const MAX_NETWORKS: usize = 4;
/// The first words of a chat server.
const GREETING: &[u8] = b"New User.";

/// Connects to `port` of every address of the /24 networks that these interfaces
/// are in, the first four of them, and returns those that greet like a chat server.
pub async fn scan(interfaces: &[Interface], port: u16) -> Vec<Server> {
    let mut networks: Vec<[u8; 3]> = Vec::new();
    // Those of the usual home and office come before those that containers take.
    let mut interfaces: Vec<&Interface> = interfaces.iter().collect();
    interfaces.sort_by_key(|interface| (interface.inner, is_172(interface.ip)));
    for interface in interfaces {
        if let IpAddr::V4(ip) = interface.ip
            && !ip.is_loopback()
        {
            let [a, b, c, _] = ip.octets();
            networks.push([a, b, c]);
        }
    }
    let mut known = BTreeSet::new();
    networks.retain(|network| known.insert(*network));
    networks.truncate(MAX_NETWORKS);

    let hosts =
        networks.iter().flat_map(|&[a, b, c]| (1..255).map(move |d| Ipv4Addr::new(a, b, c, d)));
    let attempts: Vec<_> = hosts.map(|ip| smol::spawn(knock((ip, port).into()))).collect();
    let mut found = Vec::new();
    for attempt in attempts {
        found.extend(attempt.await);
    }
    found
}

/// Whether an address is of the private networks that container programs take first.
fn is_172(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.octets()[0] == 172 && v4.is_private())
}

/// Tries one address.
async fn knock(address: SocketAddr) -> Option<Server> {
    let stream = in_time(async { Async::<TcpStream>::connect(address).await.ok() }).await?;
    let greeting = async {
        let mut heard = Vec::new();
        while heard.len() < GREETING.len() {
            let mut bytes = [0; 64];
            stream.readable().await.ok()?;
            match stream.get_ref().read(&mut bytes).ok()? {
                0 => return None,
                n => heard.extend_from_slice(&bytes[..n]),
            }
        }
        heard.starts_with(GREETING).then_some(())
    };
    in_time(greeting).await?;
    Some(Server {
        title: address.ip().to_string(),
        id: None,
        host: None,
        port: address.port(),
        addresses: vec![address],
        users: None,
        version: None,
        protocol: None,
        web: None,
        encryption: Encryption::None,
        fingerprint: None,
        hosted: None,
    })
}

/// The output of a future, if there is one in [`SCAN_TIME`].
async fn in_time<T>(work: impl Future<Output = Option<T>>) -> Option<T> {
    let late = async {
        Timer::after(SCAN_TIME).await;
        None
    };
    or(work, late).await
}
