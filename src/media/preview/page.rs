//! What a page says of itself: Open Graph, Twitter cards, and what HTML has for everyone.

use std::collections::BTreeMap;

use super::html::{Tag, Token, Tokenizer};

/// How many properties of a page are kept.
const MAX_PROPERTIES: usize = 50;
/// How long a property's value may be, in bytes; the rest is cut off.
const MAX_VALUE: usize = 2_000;
/// How much of a page's text is taken for its description, in bytes.
const MAX_TEXT: usize = 500;
/// After so many bytes, the text is enough at the next paragraph.
const ENOUGH_TEXT: usize = 200;
/// How small a picture is no illustration, in pixels a side.
const SMALL: u64 = 10;

/// What was found in a page.
#[derive(Debug, Default)]
pub struct Page {
    /// The properties, `og:...` and `twitter:...`.
    properties: BTreeMap<String, String>,
    /// Of `<title>`, `<h1>`, `<h2>`, `<h3>`.
    titles: [Option<String>; 4],
    description: Option<String>,
    text: String,
    has_enough_text: bool,
    /// The picture that the page names as its own, without Open Graph.
    own_picture: Option<String>,
    first_picture: Option<String>,
    /// The largest picture whose size the page tells, and its area.
    largest_picture: Option<(u64, String)>,
    icon: Option<String>,
    /// Where the page is described in JSON `(oEmbed)`.
    pub oembed: Option<String>,
    /// What the page's addresses are relative to, unless its own.
    pub base: Option<String>,
}

/// Where the text goes that comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Title(usize),
    Paragraph,
}

impl Page {
    /// Reads a page, or the beginning of one.
    pub fn read(html: &str) -> Self {
        let mut page = Self::default();
        let mut within = Within::Nothing;
        for token in Tokenizer::new(html) {
            match token {
                Token::Start(tag) => {
                    page.note(&tag);
                    within = begins(&tag.name).unwrap_or(within);
                }
                Token::End(name) => {
                    if begins(&name).is_some() {
                        within = Within::Nothing;
                    }
                }
                Token::Text(text) => page.write(within, &text),
                Token::Raw => {}
            }
        }
        page
    }

    fn write(&mut self, within: Within, text: &str) {
        match within {
            Within::Nothing => {}
            Within::Title(level) => {
                if let Some(title) = self.titles.get_mut(level) {
                    append(title.get_or_insert_default(), text, MAX_VALUE);
                }
            }
            Within::Paragraph if self.has_enough_text => {}
            Within::Paragraph => append(&mut self.text, text, MAX_TEXT),
        }
    }

    fn note(&mut self, tag: &Tag) {
        match tag.name.as_str() {
            "meta" => self.note_meta(tag),
            "link" => self.note_link(tag),
            "base" => keep(&mut self.base, tag.attribute("href")),
            "img" => self.note_picture(tag),
            "p" if self.text.len() > ENOUGH_TEXT => self.has_enough_text = true,
            "p" if !self.text.is_empty() => append(&mut self.text, " ", MAX_TEXT),
            _ => {}
        }
    }

    fn note_meta(&mut self, tag: &Tag) {
        let Some(content) = tag.attribute("content") else { return };
        let name = tag.attribute("property").or_else(|| tag.attribute("name")).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if (name.starts_with("og:") || name.starts_with("twitter:"))
            && name.len() < 64
            && self.properties.len() < MAX_PROPERTIES
        {
            self.properties.entry(name).or_insert_with(|| shorten(content.to_owned(), MAX_VALUE));
        } else if name == "description" {
            keep(&mut self.description, Some(content));
        } else if tag.attribute("itemprop").is_some_and(|property| property.eq_ignore_ascii_case("image")) {
            keep(&mut self.own_picture, Some(content));
        }
    }

    fn note_link(&mut self, tag: &Tag) {
        let Some(href) = tag.attribute("href") else { return };
        let relations = tag.attribute("rel").unwrap_or_default().to_ascii_lowercase();
        let is = |relation: &str| relations.split_ascii_whitespace().any(|word| word == relation);
        let is_oembed = tag.attribute("type").is_some_and(|kind| kind == "application/json+oembed");
        if is("alternate") && is_oembed {
            keep(&mut self.oembed, Some(href));
        } else if is("image_src") {
            keep(&mut self.own_picture, Some(href));
        } else if is("icon") {
            keep(&mut self.icon, Some(href));
        }
    }

    fn note_picture(&mut self, tag: &Tag) {
        let Some(source) = tag.attribute("src").filter(|source| !source.starts_with("data:")) else { return };
        keep(&mut self.first_picture, Some(source));
        let side = |name: &str| tag.attribute(name)?.parse::<u64>().ok().filter(|side| *side > SMALL);
        let Some(area) =
            side("width").zip(side("height")).map(|(width, height)| width.saturating_mul(height))
        else {
            return;
        };
        if self.largest_picture.as_ref().is_none_or(|(largest, _)| area > *largest) {
            self.largest_picture = Some((area, shorten(source.to_owned(), MAX_VALUE)));
        }
    }

    /// The `og:` properties of the preview but for the picture, and where the picture is.
    pub fn into_preview(mut self) -> (BTreeMap<String, String>, Option<String>) {
        let mut card = |name: &str| self.properties.remove(&format!("twitter:{name}"));
        let (card_title, card_description, card_site) = (card("title"), card("description"), card("site"));
        let card_picture = card("image").or_else(|| card("image:src"));
        let mut preview: BTreeMap<String, String> =
            self.properties.into_iter().filter(|(name, _)| name.starts_with("og:")).collect();
        let mut pictures =
            ["og:image", "og:image:secure_url", "og:image:url"].map(|name| preview.remove(name));
        // What is not of the picture that will be shown.
        preview.retain(|name, _| !name.starts_with("og:image:") || name == "og:image:alt");
        let title = self.titles.into_iter().flatten().find(|title| !title.is_empty());
        let text = Some(self.text.trim().to_owned()).filter(|text| !text.is_empty());
        for (name, value) in [
            ("og:title", card_title.or(title)),
            ("og:description", card_description.or(self.description).or(text)),
            ("og:site_name", card_site),
        ] {
            if let Some(value) = value {
                preview.entry(name.to_owned()).or_insert(value);
            }
        }
        let picture = pictures
            .iter_mut()
            .find_map(Option::take)
            .or(card_picture)
            .or(self.own_picture)
            .or(self.largest_picture.map(|(_, source)| source))
            .or(self.first_picture)
            .or(self.icon);
        (preview, picture)
    }
}

/// What begins with an element of this name, where its end ends; `None` for one that goes on with what there is.
fn begins(name: &str) -> Option<Within> {
    match name {
        "title" => Some(Within::Title(0)),
        "h1" => Some(Within::Title(1)),
        "h2" => Some(Within::Title(2)),
        "h3" => Some(Within::Title(3)),
        "p" => Some(Within::Paragraph),
        "div" | "section" | "article" | "nav" | "header" | "footer" | "aside" | "ul" | "ol" | "table"
        | "form" | "body" | "svg" | "button" => Some(Within::Nothing),
        _ => None,
    }
}

/// Keeps the first.
fn keep(place: &mut Option<String>, value: Option<&str>) {
    if place.is_none() {
        *place = value.map(|value| shorten(value.to_owned(), MAX_VALUE));
    }
}

/// Appends text, with white space drawn together, as long as it is not longer than `max` bytes.
fn append(place: &mut String, text: &str, max: usize) {
    for character in text.chars() {
        if place.len() >= max {
            return;
        }
        if !character.is_whitespace() {
            place.push(character);
        } else if !place.is_empty() && !place.ends_with(' ') {
            place.push(' ');
        }
    }
}

/// At most `max` bytes of text.
fn shorten(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Page;

    fn preview(html: &str) -> (BTreeMap<String, String>, Option<String>) {
        Page::read(html).into_preview()
    }

    fn property(html: &str, name: &str) -> Option<String> {
        preview(html).0.remove(name)
    }

    #[test]
    fn open_graph_comes_first_then_cards_then_html() {
        let html = r#"<html><head><title>Plain &amp; old</title><meta name="description" content="Described">
            <meta name="twitter:title" content="Card"><meta name="twitter:image" content="card.png">
            <meta property="og:title" content="Graph"><meta property="og:title" content="Another">
            <meta property="og:image" content="graph.png"><meta property="og:image:width" content="3">
            <meta property="og:type" content="website"><meta property="og:empty" content=""></head></html>"#;
        let (graph, picture) = preview(html);
        assert_eq!(picture.as_deref(), Some("graph.png"));
        let expected = [("og:description", "Described"), ("og:title", "Graph"), ("og:type", "website")];
        assert_eq!(graph, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let without = html.replace("og:", "xx:");
        assert_eq!(property(&without, "og:title").as_deref(), Some("Card"));
        assert_eq!(preview(&without).1.as_deref(), Some("card.png"));
        let without = without.replace("twitter:", "yy:");
        assert_eq!(property(&without, "og:title").as_deref(), Some("Plain & old"));
    }

    #[test]
    fn a_page_without_any_of_it_is_described_by_its_headings_and_paragraphs() {
        let html = "<body><nav>Home</nav><h2>Under</h2><h1>The  <b>great</b>\n title</h1>\
            <p>One <i>two</i>.<script>no()</script></p><div>no</div><p>Three.</p>";
        assert_eq!(property(html, "og:title").as_deref(), Some("The great title"));
        assert_eq!(property(html, "og:description").as_deref(), Some("One two. Three."));
    }

    #[test]
    fn the_picture_is_the_pages_own_the_largest_the_first_or_the_icon() {
        let picture = |html: &str| preview(html).1;
        let html = r#"<link rel="shortcut icon" href="icon.ico"><img src="data:image/png;base64,x"><img src="a.png">
            <img src="dot.gif" width="1" height="1"><img src=b.png width=100 height=50><img src=c.png width=20 height=20>"#;
        assert_eq!(picture(html).as_deref(), Some("b.png"));
        assert_eq!(picture(&html.replace("width", "w")).as_deref(), Some("a.png"));
        assert_eq!(picture(&html.replace("<img", "<image")).as_deref(), Some("icon.ico"));
        let own = format!(r#"{html}<meta itemprop="image" content="own.png">"#);
        assert_eq!(picture(&own).as_deref(), Some("own.png"));
        assert_eq!(picture("<p>nothing"), None);
    }

    #[test]
    fn an_oembed_link_is_found() {
        let html = r#"<link rel="alternate" type="text/xml+oembed" href="x"><link rel=alternate
            type=application/json+oembed href="https://e.example/o?url=a&amp;f=json">"#;
        assert_eq!(Page::read(html).oembed.as_deref(), Some("https://e.example/o?url=a&f=json"));
    }

    #[test]
    fn much_is_cut_off() {
        let long = "ü".repeat(5_000);
        let html = format!(r#"<meta property="og:title" content="{long}"><p>{long}</p>"#);
        assert_eq!(property(&html, "og:title").map(|title| title.len()), Some(2_000));
        assert!(property(&html, "og:description").is_some_and(|text| text.len() <= 501));
        let many: Vec<String> =
            (0..500).map(|n| format!(r#"<meta property="og:x{n}" content="y">"#)).collect();
        assert_eq!(preview(&many.concat()).0.len(), 50);
        let text = format!("<p>{0}</p><p>more</p>", "x".repeat(300));
        assert_eq!(property(&text, "og:description"), Some("x".repeat(300)));
    }
}
