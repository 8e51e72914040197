//! Which address a request comes from.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The client's address; empty when it is not known.
///
/// `socket` is the other end of the connection, where the platform tells it: then this is workerd on
/// somebody's own machine, and only a proxy on the same machine is believed about whom it speaks for,
/// in the last entry of `X-Forwarded-For`. Otherwise it is Cloudflare, which says so in a header that
/// no client can set.
pub fn address(socket: Option<&str>, headers: &HeaderMap) -> String {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(socket) = socket else {
        return header("cf-connecting-ip").unwrap_or_default().to_owned();
    };
    let ip = socket.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| socket.parse::<IpAddr>());
    let Ok(ip) = ip.map(|ip| ip.to_canonical()) else { return String::new() };
    let forwarded = header("x-forwarded-for").and_then(|list| list.rsplit(',').next());
    match forwarded.and_then(|entry| entry.trim().parse::<IpAddr>().ok()) {
        Some(client) if ip.is_loopback() => client.to_string(),
        _ => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        [(name.parse().unwrap(), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn cloudflare_names_the_client_in_a_header() {
        assert_eq!(address(None, &headers("cf-connecting-ip", "192.0.2.1")), "192.0.2.1");
    }

    #[test]
    fn a_header_counts_for_nothing_where_the_socket_is_known() {
        assert_eq!(address(Some("192.0.2.1:4000"), &headers("cf-connecting-ip", "192.0.2.9")), "192.0.2.1");
        assert_eq!(
            address(Some("[2001:db8::1]:4000"), &headers("x-forwarded-for", "192.0.2.9")),
            "2001:db8::1"
        );
    }

    #[test]
    fn a_proxy_on_this_machine_is_believed_about_the_address_it_adds() {
        let forwarded = headers("x-forwarded-for", "198.51.100.7, 192.0.2.9");
        assert_eq!(address(Some("127.0.0.1:4000"), &forwarded), "192.0.2.9");
        assert_eq!(address(Some("127.0.0.1:4000"), &HeaderMap::new()), "127.0.0.1");
    }
}
