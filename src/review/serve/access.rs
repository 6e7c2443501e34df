//! Who may enter, by which door: one person on this machine, users with passwords, or those whom a reverse proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};

use super::secret;

/// The header in which a proxy shows that it is the one that may name users.
pub const PROXY_SECRET: &str = "x-seatrial-proxy-secret";

/// How people are told apart.
#[derive(Debug)]
pub enum Access {
    /// Whoever has the token that is printed at the start, on this machine alone; under one name, with the role that it has
    /// in the store, and every role in a store without users.
    Local {
        /// The name that labels are given by.
        name: String,
        /// The token.
        token: SecretString,
    },
    /// Users of the store, by name and password.
    Users,
    /// Users of the store, whom a reverse proxy has let in and names in a header.
    Proxy(Proxy),
}

/// A reverse proxy that names users.
#[derive(Debug)]
pub struct Proxy {
    /// The header with the name.
    pub header: HeaderName,
    /// Addresses that such a header is believed from.
    pub from: Vec<Net>,
    /// What the proxy shows beside the name; needed where it is given.
    pub secret: Option<SecretString>,
}

/// Addresses with so many first bits in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    base: IpAddr,
    bits: u8,
}

impl Net {
    /// From `10.0.0.7` or `10.0.0.0/8`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "an address such as 10.0.0.7, or a network such as 10.0.0.0/8".to_owned();
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits == 0 {
            return Err("a network of all addresses would let everybody name themselves".to_owned());
        }
        if bits > most { Err(wrong()) } else { Ok(Self { base, bits }) }
    }

    /// Whether an address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        // An IPv4 address that arrives at a socket of IPv6 is that address.
        let number = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let ((own, own_kind), (other, kind)) = (number(self.base), number(address.to_canonical()));
        own_kind == kind && (own ^ other).leading_zeros() >= u32::from(self.bits)
    }
}

impl Proxy {
    /// The name that a request comes under. `Err` says why it is not believed.
    pub fn name(&self, peer: IpAddr, headers: &HeaderMap) -> Result<String, &'static str> {
        if !self.from.is_empty() && !self.from.iter().any(|net| net.contains(peer)) {
            return Err("this address is none that users are named from (`--proxy-from`)");
        }
        if let Some(wanted) = &self.secret {
            let shown = headers.get(PROXY_SECRET).and_then(|h| h.to_str().ok()).unwrap_or_default();
            if !secret::same(shown, wanted.expose_secret()) {
                return Err("the proxy did not show its secret");
            }
        }
        // Two of them: one may be what a visitor sent along, and it is not known which.
        let mut given = headers.get_all(&self.header).iter();
        let name = match (given.next(), given.next()) {
            (Some(name), None) => name.to_str().unwrap_or_default().trim(),
            (Some(_), Some(_)) => return Err("the proxy names two users at once"),
            (None, _) => "",
        };
        if name.is_empty() { Err("the proxy names no user") } else { Ok(name.to_owned()) }
    }
}

/// The header in which a proxy says whom it speaks for: the address of the visitor, after those of proxies before it.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a visitor comes from. Behind `proxies` that is what they say in `x-forwarded-for`: read from its end,
/// where the nearest one wrote, the first address that is no proxy's. What stands before that the visitor may have made up,
/// and a header of anybody else is not read.
pub fn origin(peer: IpAddr, headers: &HeaderMap, proxies: &[Net]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|net| net.contains(address));
    let mut seen = peer.to_canonical();
    // Several headers are one list.
    let lines = headers.get_all(FORWARDED_FOR).iter().rev().map(|line| line.to_str().unwrap_or_default());
    for hop in lines.flat_map(|line| line.rsplit(',')) {
        // What cannot be read says nothing, nor does what stands before it.
        let (true, Some(said)) = (is_proxy(seen), address(hop.trim())) else { break };
        seen = said;
    }
    seen
}

/// The address of `192.0.2.7`, `192.0.2.7:443`, `2001:db8::7` and `[2001:db8::7]:443`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let alone = bare.parse::<IpAddr>().ok();
    let found = alone.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    found.map(|address| address.to_canonical())
}

/// What attempts to sign in are counted by: an address, and of IPv6 the network that one visitor is given.
pub fn place(address: IpAddr) -> String {
    match address {
        IpAddr::V4(_) => address.to_string(),
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & (u128::MAX << 64);
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
}

/// Why pages must not be served at an address this way; `None` where they may.
pub fn unsafe_at(access: &Access, address: SocketAddr, url: Option<&str>) -> Option<String> {
    let here = address.ip().to_canonical().is_loopback();
    match access {
        Access::Local { .. } if !here => Some(format!(
            "{address} can be reached from elsewhere, and nobody would have to say who they are: choose `--auth users` \
             or `--auth proxy`, or serve at 127.0.0.1"
        )),
        Access::Proxy(proxy) if proxy.from.is_empty() && proxy.secret.is_none() => Some(
            "whoever sends the header would be whom it names: say where it is believed from (`--proxy-from 10.0.0.7`), \
             or what the proxy shows (`--proxy-secret-env NAME`)"
                .to_owned(),
        ),
        _ if !here && url.is_none() => Some(format!(
            "{address} can be reached from elsewhere: say under which address people reach it \
             (`--url https://review.example.com`), so that no other name is taken"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn proxy(from: &[&str], secret: Option<&str>) -> Proxy {
        Proxy {
            header: HeaderName::from_static("x-user"),
            from: from.iter().map(|net| Net::parse(net).unwrap()).collect(),
            secret: secret.map(|s| s.to_owned().into()),
        }
    }

    fn from(peer: &str, said: &[&str]) -> String {
        let nets = [Net::parse("10.0.0.0/8").unwrap(), Net::parse("127.0.0.1").unwrap()];
        let mut headers = HeaderMap::new();
        for line in said {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        origin(peer.parse().unwrap(), &headers, &nets).to_string()
    }

    #[test]
    fn a_visitor_is_where_the_last_proxy_that_is_trusted_saw_them() {
        assert_eq!(from("10.0.0.7", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("::ffff:10.0.0.7", &["203.0.113.9:51034"]), "203.0.113.9");
        assert_eq!(from("10.0.0.7", &["[2001:db8::9]:80"]), "2001:db8::9");
        assert_eq!(from("127.0.0.1", &["203.0.113.9, 10.1.1.1"]), "203.0.113.9", "through two proxies");
        assert_eq!(from("127.0.0.1", &["203.0.113.9", "10.1.1.1"]), "203.0.113.9", "in two headers");
    }

    #[test]
    fn what_a_visitor_makes_up_is_not_read() {
        // Whoever is no proxy says nothing of where they are.
        assert_eq!(from("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        // A proxy adds to what the visitor sent along, and only what it added counts.
        assert_eq!(from("10.0.0.7", &["198.51.100.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("10.0.0.7", &["198.51.100.1", "203.0.113.9"]), "203.0.113.9");
        // What cannot be read ends it.
        for junk in ["", "unknown", "198.51.100.1, unknown", "_hidden", "\u{e9}"] {
            assert_eq!(from("10.0.0.7", &[junk]), "10.0.0.7", "{junk:?}");
        }
        assert_eq!(from("10.0.0.7", &[]), "10.0.0.7");
    }

    #[test]
    fn attempts_are_counted_by_what_one_visitor_has_for_itself() {
        assert_eq!(place("203.0.113.9".parse().unwrap()), "203.0.113.9");
        assert_eq!(place("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1:2::/64");
    }

    #[test]
    fn other_addresses_need_people_to_say_who_they_are() {
        let local = Access::Local { name: "ann".into(), token: String::new().into() };
        assert_eq!(unsafe_at(&local, at("127.0.0.1:1"), None), None);
        assert_eq!(unsafe_at(&local, at("[::1]:1"), None), None);
        for address in ["0.0.0.0:1", "192.168.0.1:1", "[::]:1", "[2001:db8::1]:1"] {
            assert!(unsafe_at(&local, at(address), Some("https://a.example")).is_some(), "{address}");
            assert!(unsafe_at(&Access::Users, at(address), None).is_some(), "{address}");
            assert_eq!(unsafe_at(&Access::Users, at(address), Some("https://a.example")), None, "{address}");
        }
        assert!(unsafe_at(&Access::Proxy(proxy(&[], None)), at("127.0.0.1:1"), None).is_some());
        assert_eq!(unsafe_at(&Access::Proxy(proxy(&["127.0.0.1"], None)), at("127.0.0.1:1"), None), None);
    }

    #[test]
    fn a_name_is_believed_from_the_proxy_alone() {
        let named = |h: &[(&'static str, &str)]| -> HeaderMap {
            h.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect()
        };
        let by_address = proxy(&["10.0.0.0/8"], None);
        let ann = named(&[("x-user", "ann")]);
        assert_eq!(by_address.name("10.1.2.3".parse().unwrap(), &ann).unwrap(), "ann");
        assert_eq!(by_address.name("::ffff:10.1.2.3".parse().unwrap(), &ann).unwrap(), "ann");
        assert!(by_address.name("11.1.2.3".parse().unwrap(), &ann).is_err());
        assert!(by_address.name("10.1.2.3".parse().unwrap(), &named(&[])).is_err());
        let mut two = ann.clone();
        two.append("x-user", "root".parse().unwrap());
        assert!(by_address.name("10.1.2.3".parse().unwrap(), &two).is_err());
        let by_secret = proxy(&[], Some("s3cret"));
        let peer = "127.0.0.1".parse().unwrap();
        assert!(by_secret.name(peer, &ann).is_err());
        assert!(by_secret.name(peer, &named(&[("x-user", "ann"), (PROXY_SECRET, "s3cre")])).is_err());
        assert_eq!(by_secret.name(peer, &named(&[("x-user", "ann"), (PROXY_SECRET, "s3cret")])).unwrap(), "ann");
    }

    #[test]
    fn networks_are_read_and_compared() {
        assert!(Net::parse("10.0.0.0/0").is_err());
        assert!(Net::parse("10.0.0.0/33").is_err());
        assert!(Net::parse("ten").is_err());
        let net = Net::parse("2001:db8::/32").unwrap();
        assert!(net.contains("2001:db8:1::1".parse().unwrap()) && !net.contains("2001:db9::1".parse().unwrap()));
        assert!(!net.contains("10.0.0.1".parse().unwrap()));
    }
}
