#![allow(clippy::unwrap_used, reason = "tests")]

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use http::Method;
use selvedge_durable_objects::{
    address::AddressRange,
    platform::{FetchError, OutboundResponse},
};
use serde_json::{Value, json};

use crate::testing::Client;

/// The smallest PNG header that tells a size: 3 by 2.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0\x12\x16\xf1\x4d\0\0\0\0IDAT\x35\xaf\x06\x1e";

type Pages = BTreeMap<&'static str, (u16, &'static str, Vec<u8>)>;

/// A user whose server sees these pages, and the record of what it asked for. The text of a redirect is its target.
fn web(pages: Pages) -> (Client, Rc<RefCell<Vec<String>>>) {
    let alice = Client::registered("alice");
    let asked = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&asked);
    alice.world.connect(move |request| {
        assert_eq!((request.method, request.follow_redirects), (Method::GET, false));
        log.borrow_mut().push(request.url.clone());
        let (status, header, body) = pages.get(request.url.as_str()).ok_or(FetchError::TimedOut)?;
        let name = if *status / 100 == 3 { "location" } else { "content-type" };
        let headers = vec![(name.to_owned(), (*header).to_owned())];
        Ok(OutboundResponse { status: *status, headers, body: body.clone() })
    });
    (alice, asked)
}

fn page(html: &str) -> (u16, &'static str, Vec<u8>) {
    (200, "text/html; charset=utf-8", html.as_bytes().to_vec())
}

fn target(url: &str) -> String {
    let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
    format!("/_matrix/client/v1/media/preview_url?url={url}")
}

fn names(asked: &Rc<RefCell<Vec<String>>>) -> Vec<String> {
    let pages = asked.take();
    pages.into_iter().filter(|url| !url.contains("dns-query")).collect()
}

#[test]
fn a_page_is_previewed_with_its_picture_and_kept_for_a_while() {
    let html = r#"<base href="/deep/"><meta property="og:title" content="Grüße"><meta property="og:image" content="a.png">
        <meta property="og:image:width" content="999">"#;
    let (alice, asked) = web(Pages::from([
        ("https://example.org/", (301, "/page", Vec::new())),
        ("https://example.org/page", page(html)),
        ("https://example.org/deep/a.png", (200, "image/png", PNG.to_vec())),
    ]));
    let preview = alice.ok("GET", &target("HTTPS://EXAMPLE.ORG#part"), Value::Null);
    let image = preview["og:image"].as_str().unwrap().to_owned();
    let id = image.strip_prefix("mxc://selvedge.test/").unwrap();
    let expected = json!({
        "og:title": "Grüße", "og:image": image, "og:image:type": "image/png", "og:image:width": 3,
        "og:image:height": 2, "matrix:image:size": PNG.len(),
    });
    assert_eq!(preview, expected);
    assert_eq!(alice.world.objects().get(&format!("media/selvedge.test/{id}")).unwrap(), PNG);
    asked.take();
    assert_eq!(alice.ok("GET", &target("https://example.org/"), Value::Null), expected);
    let old = target("https://example.org/").replace("client/v1/media", "media/v3");
    assert_eq!(alice.ok("GET", &old, Value::Null), expected);
    assert!(asked.borrow().is_empty());
    alice.world.advance(2 * 60 * 60 * 1000);
    alice.ok("GET", &target("https://example.org/"), Value::Null);
    assert!(!asked.borrow().is_empty());
    // The pictures go, in time.
    while !alice.world.objects().is_empty() {
        alice.world.ring_next_alarm().unwrap();
    }
    while alice.world.ring_next_alarm().is_some() {}
}

#[test]
fn a_picture_and_other_files_are_previewed_as_what_they_are() {
    let (alice, _) = web(Pages::from([
        ("https://example.org/a.png", (200, "image/png", PNG.to_vec())),
        ("https://example.org/a.pdf", (200, "application/pdf", b"%PDF".to_vec())),
        ("https://example.org/gone", (404, "text/html", Vec::new())),
    ]));
    let preview = alice.ok("GET", &target("https://example.org/a.png"), Value::Null);
    assert_eq!((&preview["og:image:width"], &preview["matrix:image:size"]), (&json!(3), &json!(PNG.len())));
    assert_eq!(alice.ok("GET", &target("https://example.org/a.pdf"), Value::Null), json!({}));
    alice.refused("GET", &target("https://example.org/gone"), Value::Null, 502, "M_UNKNOWN");
    alice.refused("GET", &target("https://example.org/nowhere"), Value::Null, 502, "M_UNKNOWN");
    alice.refused("GET", &target("ftp://example.org/"), Value::Null, 400, "M_INVALID_PARAM");
    let anyone = Client { token: None, ..alice };
    anyone.refused("GET", &target("https://example.org/a.png"), Value::Null, 401, "M_MISSING_TOKEN");
}

#[test]
fn private_places_are_refused_in_every_form_and_by_redirect() {
    let (alice, asked) = web(Pages::from([
        ("https://example.org/evil", (302, "http://169.254.169.254/latest", Vec::new())),
        (
            "https://example.org/picture",
            page("<title>x</title><meta property=og:image content='http://[::1]/x.png'>"),
        ),
        ("https://example.org/loop", (307, "https://example.org/loop", Vec::new())),
    ]));
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.1/",
        "http://[::1]:8008/",
        "http://[::ffff:7f00:1]/",
        "http://[fe80::1]/",
        "http://10.0.0.1/",
        "http://localhost/",
        "http://LocalHost./",
        "http://router.local/",
        "https://example.org/evil",
    ] {
        alice.refused("GET", &target(url), Value::Null, 403, "M_FORBIDDEN");
    }
    assert_eq!(names(&asked), ["https://example.org/evil"]);
    let preview = alice.ok("GET", &target("https://example.org/picture"), Value::Null);
    assert_eq!((preview, names(&asked).len()), (json!({"og:title": "x"}), 1));
    alice.refused("GET", &target("https://example.org/loop"), Value::Null, 502, "M_UNKNOWN");
    assert_eq!(names(&asked).len(), 6);
}

#[test]
fn a_name_that_resolves_to_a_private_address_is_refused() {
    let answer = |data: &str| {
        (200, "application/dns-json", json!({"Answer": [{"type": 1, "data": data}]}).to_string().into_bytes())
    };
    let (alice, asked) = web(Pages::from([
        ("https://cloudflare-dns.com/dns-query?name=inside.example&type=A", answer("10.0.0.1")),
        ("https://cloudflare-dns.com/dns-query?name=six.example&type=AAAA", answer("fd00::1")),
        ("https://cloudflare-dns.com/dns-query?name=outside.example&type=A", answer("8.8.8.8")),
        ("https://inside.example/", page("<title>inside</title>")),
        ("https://outside.example/", page("<title>outside</title>")),
    ]));
    alice.refused("GET", &target("https://inside.example/"), Value::Null, 403, "M_FORBIDDEN");
    alice.refused("GET", &target("https://six.example/"), Value::Null, 403, "M_FORBIDDEN");
    assert!(names(&asked).is_empty());
    alice.ok("GET", &target("https://outside.example/"), Value::Null);
    let range = AddressRange::parse("10.0.0.0/8").unwrap();
    alice.world.configure(|config| config.media.previews.allowed_ranges = vec![range]);
    alice.ok("GET", &target("https://inside.example/"), Value::Null);
}

#[test]
fn previews_can_be_turned_off_for_some_hosts_or_all() {
    let pages =
        ["https://example.org/", "https://notexample.org/"].map(|url| (url, page("<title>x</title>")));
    let (alice, asked) = web(Pages::from(pages));
    alice.world.configure(|config| config.media.previews.blocked_hosts = vec!["example.org".to_owned()]);
    for url in ["https://example.org/", "https://a.example.org./"] {
        alice.refused("GET", &target(url), Value::Null, 403, "M_FORBIDDEN");
    }
    assert!(names(&asked).is_empty());
    alice.ok("GET", &target("https://notexample.org/"), Value::Null);
    alice.world.configure(|config| config.media.previews.enabled = false);
    alice.refused("GET", &target("https://notexample.org/"), Value::Null, 404, "M_UNRECOGNIZED");
}

#[test]
fn what_a_page_leaves_out_its_oembed_description_tells() {
    let html = "<title>own</title><link rel=alternate type=application/json+oembed href='/o'>";
    let oembed = json!({
        "type": "rich", "title": "other", "provider_name": "Site", "thumbnail_url": "https://example.org/a.png",
        "html": "<blockquote><p>said &amp; done</p></blockquote>",
    });
    let (alice, _) = web(Pages::from([
        ("https://example.org/", page(html)),
        ("https://example.org/o", (200, "application/json", oembed.to_string().into_bytes())),
        ("https://example.org/a.png", (200, "image/png", PNG.to_vec())),
    ]));
    let preview = alice.ok("GET", &target("https://example.org/"), Value::Null);
    assert_eq!(preview["og:title"], "own");
    assert_eq!(preview["og:site_name"], "Site");
    assert_eq!(preview["og:description"], "said & done");
    assert_eq!(preview["og:image:width"], 3);
}

#[test]
fn pages_and_pictures_are_read_up_to_a_bound() {
    let head = "<title>early</title><meta property=og:image content='/huge.png'>";
    let html = format!("{head}<!-- {} -->", "x".repeat(2 << 20));
    let (alice, _) = web(Pages::from([
        ("https://example.org/", page(&html)),
        ("https://example.org/huge.png", (200, "image/png", vec![0; 9 << 20])),
    ]));
    let preview = alice.ok("GET", &target("https://example.org/"), Value::Null);
    assert_eq!(preview, json!({"og:title": "early"}));
    assert!(alice.world.objects().is_empty());
}
