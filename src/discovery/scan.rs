//! Looking for servers where multicast does not get through: by trying the
//! addresses of the local networks one by one.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use smol::future::or;
use smol::{Async, Timer};

use crate::discovery::{Interface, Server};

/// How long one address has to answer; on a local network that is plenty.
pub const SCAN_TIME: Duration = Duration::from_millis(300);
/// How many networks are scanned, so that a machine with many bridges does not
/// knock on thousands of doors.
const MAX_NETWORKS: usize = 4;
/// What a chat server says first.
const GREETING: &[u8] = b"New User.";

/// Connects to `port` of every address of the /24 networks that these interfaces
/// are in, at most four of them, and returns who greets like a chat server.
pub async fn scan(interfaces: &[Interface], port: u16) -> Vec<Server> {
    let mut networks: Vec<[u8; 3]> = Vec::new();
    for interface in interfaces {
        if let IpAddr::V4(ip) = interface.ip
            && !ip.is_loopback()
        {
            let [a, b, c, _] = ip.octets();
            networks.push([a, b, c]);
        }
    }
    networks.sort_unstable();
    networks.dedup();
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
    })
}

/// What a future gives, if it does so in [`SCAN_TIME`].
async fn in_time<T>(work: impl Future<Output = Option<T>>) -> Option<T> {
    let late = async {
        Timer::after(SCAN_TIME).await;
        None
    };
    or(work, late).await
}
