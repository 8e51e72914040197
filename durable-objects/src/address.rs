//! Which hosts and network addresses are for everyone to reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a host is, by its name alone, in a private, loopback, link-local or otherwise
/// non-public network. What a public name resolves to is another question: [`is_private_address`].
pub fn is_private(host: &str) -> bool {
    if let Some(address) = literal(host) {
        return is_private_address(address);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || [".localhost", ".local", ".internal"].iter().any(|suffix| name.ends_with(suffix))
}

/// The address that a host of a URL is, if it is no name.
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address is in a private, loopback, link-local or otherwise non-public network.
pub fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let within = |high: u16, low: u16| {
        let bits = u32::from(high).checked_shl(16).unwrap_or(0) | u32::from(low);
        is_private_v4(Ipv4Addr::from_bits(bits))
    };
    match address.segments() {
        // Mapped and compatible addresses, translated ones (NAT64), and tunnels (6to4) hold an IPv4 address.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => within(high, low),
        // Teredo and other protocols' own, documentation.
        [0x2001, 0..0x200 | 0xdb8, ..] | [0x3fff, 0..0x1000, ..] => true,
        // Everything that is given out is in 2000::/3.
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

/// A range of addresses: `192.0.2.0/24`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    /// How many leading bits are common to the range.
    bits: u32,
}

impl AddressRange {
    /// Reads a range.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self { address, bits })
    }

    /// Whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let shifted = |bits: u128, width: u32| bits.checked_shr(width.saturating_sub(self.bits)).unwrap_or(0);
        match (self.address, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                shifted(one.to_bits().into(), 32) == shifted(other.to_bits().into(), 32)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                shifted(one.to_bits(), 128) == shifted(other.to_bits(), 128)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{AddressRange, is_private};

    #[test]
    fn private_and_loopback_hosts_are_told_by_name() {
        for host in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fec0::1]",
            "[fd12::1]",
            "[ff02::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:a00:1]",
            "[::10.0.0.1]",
            "[::ffff:0:10.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[2001:db8::1]",
            "localhost",
            "LOCALHOST.",
            "printer.local",
            "x.internal",
        ] {
            assert!(is_private(host), "{host}");
        }
    }

    #[test]
    fn public_hosts_are_not_private() {
        for host in [
            "example.org",
            "8.8.8.8",
            "[2606:4700::1111]",
            "[2001:4860::8888]",
            "[64:ff9b::808:808]",
            "[2002:808:808::]",
            "local.example",
        ] {
            assert!(!is_private(host), "{host}");
        }
    }

    #[test]
    fn a_range_holds_what_begins_alike() {
        let holds = |range: &str, address: &str| {
            AddressRange::parse(range).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("127.0.0.0/8", "127.9.9.9") && !holds("127.0.0.0/8", "128.0.0.1"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe80::1") && holds("::/0", "fe80::1"));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "x/8", "::/129", "10.0.0.0/-1"] {
            assert_eq!(AddressRange::parse(bad), None, "{bad}");
        }
    }
}
