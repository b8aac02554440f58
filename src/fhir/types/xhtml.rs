//! The XHTML of a narrative: <https://hl7.org/fhir/R4/narrative.html>, invariants txt-1 and
//! txt-2. Checked and refused, never rewritten.
//!
//! The fragment stands without a document type, so only the five entities of XML and character
//! references exist; other characters are written as themselves. Nothing that a browser would
//! run or fetch from another host may be in it.

use crate::fhir::xml::{is_set_off, is_xml_character};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
/// Open elements at one place.
const MAX_DEPTH: usize = 128;

/// Elements of txt-1, sorted.
const ELEMENTS: [&str; 48] = [
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

/// Attributes of txt-1, sorted.
const ATTRIBUTES: [&str; 51] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "compact",
    "coords",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
    "xml:lang",
    "xmlns",
];

/// What else stops a style attribute: what runs, fetches, or hides one of these from a reader.
const STYLE_WORDS: [&str; 9] = [
    "expression(",
    "javascript:",
    "vbscript:",
    "behavior",
    "-moz-binding",
    "@import",
    "image-set(",
    "\\",
    "/*",
];

/// Whether `text` is a narrative's div; the error says what would be right.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) {
        return Err("XHTML without control characters".to_owned());
    }
    if text.contains(['\u{FFFE}', '\u{FFFF}']) {
        return Err("XHTML without U+FFFE and U+FFFF, which XML does not have".to_owned());
    }
    if text.contains("]]>") {
        return Err("']]&gt;' for ']]>'".to_owned());
    }
    // The reader would pass over it, and within a document it is text before the div.
    if text.starts_with('\u{FEFF}') {
        return Err("XHTML without a byte order mark".to_owned());
    }
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_comments = true;
    config.allow_dangling_amp = false;
    let mut state = State { depth: 0, is_closed: false, has_content: false };
    loop {
        let event = reader.read_event().map_err(|error| format!("well-formed XHTML: {error}"))?;
        if matches!(event, Event::Eof) {
            break;
        }
        state.take(&event)?;
    }
    if !state.is_closed {
        return Err(format!("one XHTML element, <div xmlns=\"{NAMESPACE}\">...</div>"));
    }
    match state.has_content {
        true => Ok(()),
        false => Err("a div with content that is not only white space (txt-2)".to_owned()),
    }
}

struct State {
    depth: usize,
    /// The outermost element has ended.
    is_closed: bool,
    has_content: bool,
}

impl State {
    fn take(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Start(start) => {
                self.element(start)?;
                self.depth += 1;
                match self.depth > MAX_DEPTH {
                    true => Err(format!("XHTML of at most {MAX_DEPTH} levels")),
                    false => Ok(()),
                }
            }
            Event::Empty(start) => {
                self.element(start)?;
                self.is_closed |= self.depth == 0;
                Ok(())
            }
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.is_closed |= self.depth == 0;
                Ok(())
            }
            Event::Text(text) => self.text(text),
            Event::GeneralRef(reference) => {
                self.has_content = true;
                let is_known = self.depth > 0 && is_reference(reference);
                is_known.then_some(()).ok_or_else(|| {
                    let name = crate::fhir::json::shown(reference);
                    format!(
                        "the characters themselves or &amp; &lt; &gt; &quot; &apos; &#...;, as \
                         XHTML in FHIR has no other entities: '&{name};'"
                    )
                })
            }
            Event::Comment(comment) => match comment.contains(['<', '>']) {
                true => Err("XHTML without '<' or '>' in comments".to_owned()),
                false => Ok(()),
            },
            Event::CData(_) => Err("text with &lt; and &amp;, not as CDATA".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                Err("XHTML without XML declaration, processing instruction or DOCTYPE".to_owned())
            }
            Event::Eof => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        let is_blank = text.trim_start().is_empty();
        if self.depth == 0 && !is_blank {
            return Err(format!("no text outside <div xmlns=\"{NAMESPACE}\">"));
        }
        self.has_content |= !is_blank;
        Ok(())
    }

    fn element(&mut self, start: &BytesStart) -> Result<(), String> {
        let name = start.name().0;
        if self.depth == 0 && (self.is_closed || name != "div") {
            return Err(format!("one element, <div xmlns=\"{NAMESPACE}\">, around everything"));
        }
        if !is_element(name) {
            return Err(format!(
                "only elements of HTML 4 chapters 7-11 and 15, a and img (txt-1), not '{}'",
                crate::fhir::json::shown(name)
            ));
        }
        let mut namespace = false;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| format!("well-formed XHTML: {error}"))?;
            let key = attribute.key.0;
            if !is_attribute(key) {
                return Err(format!(
                    "only attributes of HTML 4 chapters 7-11 and 15 (txt-1), not '{}' on '{name}'",
                    crate::fhir::json::shown(key)
                ));
            }
            if attribute.value.contains('<') {
                return Err("'&lt;' for '<' in attribute values".to_owned());
            }
            if !is_set_off(start, &attribute.value) {
                return Err("well-formed XHTML: white space before each attribute".to_owned());
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| format!("well-formed XHTML: {error}"))?;
            value_rule(key, &value).map_or(Ok(()), |rule| Err(rule.to_owned()))?;
            namespace |= key == "xmlns";
            self.has_content |= name == "img" && key == "src";
        }
        match self.depth == 0 && !namespace {
            true => Err(format!("the XHTML namespace on the div: xmlns=\"{NAMESPACE}\"")),
            false => Ok(()),
        }
    }
}

/// The frequent ones are known without a search.
fn is_element(name: &str) -> bool {
    matches!(name, "td" | "tr" | "a" | "b" | "p" | "br" | "div" | "span" | "li" | "i" | "var")
        || ELEMENTS.binary_search(&name).is_ok()
}

fn is_attribute(name: &str) -> bool {
    matches!(name, "style" | "class" | "href" | "title" | "name" | "src" | "alt")
        || ATTRIBUTES.binary_search(&name).is_ok()
}

fn is_reference(name: &str) -> bool {
    let Some(digits) = name.strip_prefix('#') else {
        return matches!(name, "amp" | "lt" | "gt" | "quot" | "apos");
    };
    let code = match digits.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let letter = code.ok().and_then(char::from_u32);
    !digits.starts_with(['+', '-']) && letter.is_some_and(is_xml_character)
}

/// What the value of an attribute would have to be, where it is not.
fn value_rule(key: &str, value: &str) -> Option<&'static str> {
    if !value.chars().all(is_xml_character) {
        return Some("attribute values of characters that XML has");
    }
    match key {
        "xmlns" => (value != NAMESPACE).then_some("no namespace but that of XHTML"),
        "href" | "cite" | "longdesc" => (!is_link(value))
            .then_some("links that are relative or of http, https, mailto, tel, ftp or urn"),
        "src" => (!is_image(&squeezed(value, URL_CHARS)))
            .then_some("images as data:image/..., as #id of a contained one, relative, or urn"),
        "style" => {
            (!is_style(value)).then_some("styles that run nothing and fetch nothing from elsewhere")
        }
        _ => None,
    }
}

/// So much of a URL tells what it does.
const URL_CHARS: usize = 64;

/// As a browser takes a URL or style: white space and case do not count.
fn squeezed(value: &str, length: usize) -> String {
    let kept = value.chars().filter(|letter| !letter.is_whitespace() && !letter.is_control());
    kept.flat_map(char::to_lowercase).take(length).collect()
}

/// The scheme of a URL; None for a relative one.
fn scheme(url: &str) -> Option<&str> {
    let end = url.find([':', '/', '?', '#', '\\'])?;
    url[end..].starts_with(':').then(|| &url[..end])
}

fn is_link(url: &str) -> bool {
    if url.starts_with(['#', '/']) || url.starts_with("http://") || url.starts_with("https://") {
        return true;
    }
    match scheme(&squeezed(url, URL_CHARS)) {
        None => true,
        Some(scheme) => matches!(scheme, "http" | "https" | "mailto" | "tel" | "ftp" | "urn"),
    }
}

fn is_image(url: &str) -> bool {
    match scheme(url) {
        None => !url.starts_with("//") && !url.contains('\\'),
        // No browser fetches it, and a transaction replaces it (http.html#trules).
        Some("urn") => true,
        Some("data") => {
            let kind = url.strip_prefix("data:image/").unwrap_or_default();
            ["png", "jpeg", "jpg", "gif"].iter().any(|known| {
                kind.strip_prefix(known).is_some_and(|rest| rest.starts_with([';', ',']))
            })
        }
        Some(_) => false,
    }
}

fn is_style(style: &str) -> bool {
    // Whatever runs or fetches has a function, an at-rule, or hides it.
    if !style.bytes().any(|byte| matches!(byte, b'(' | b'@' | b'\\' | b'/')) {
        return true;
    }
    let style = squeezed(style, usize::MAX);
    let is_quiet = !STYLE_WORDS.iter().any(|word| style.contains(word));
    let mut parts = style.split("url(");
    parts.next();
    is_quiet && parts.all(|url| is_image(url.trim_start_matches(['\'', '"'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const XHTML: &str = "http://www.w3.org/1999/xhtml";

    fn is_allowed(text: &str) -> bool {
        check(text).is_ok()
    }

    fn whole(content: &str) -> String {
        format!("<div xmlns=\"{XHTML}\">{content}</div>")
    }

    #[test]
    fn formatting_links_images_and_tables_are_allowed() {
        for content in [
            "text",
            "<p class=\"a\" style=\"color: red\">x &amp; y &#160;<br/></p>",
            "<a name=\"x\" href=\"Patient/1\">x</a>",
            "<img src=\"#pic\" alt=\"x\"/>",
            "<table><tbody><tr><td colspan=\"2\">1</td></tr></tbody></table><!-- c -->",
        ] {
            assert!(is_allowed(&whole(content)), "{content}");
        }
    }

    #[test]
    fn active_or_ill_formed_or_empty_narrative_is_refused() {
        for content in [
            "<script>alert(1)</script>",
            "<p onclick=\"x()\">x</p>",
            "<a href=\" java\tscript:x()\">x</a>",
            "<form><input/></form>",
            "<iframe src=\"x\"/>",
            "<p>x</b>",
            "<p>x",
            "&nbsp;x",
            "",
            " \n ",
            "<p/>",
        ] {
            assert!(!is_allowed(&whole(content)), "{content}");
        }
        assert!(!is_allowed("<div>x</div>"));
        assert!(!is_allowed(&format!("<p xmlns=\"{XHTML}\">x</p>")));
        assert!(!is_allowed(&format!("{}{}", whole("x"), whole("y"))));
        assert!(!is_allowed(&format!("<!DOCTYPE html>{}", whole("x"))));
        assert!(!is_allowed("text"));
    }

    fn div(content: &str) -> String {
        format!("<div xmlns=\"{NAMESPACE}\">{content}</div>")
    }

    #[test]
    fn the_lists_are_sorted_for_the_search_in_them() {
        assert!(ELEMENTS.is_sorted());
        assert!(ATTRIBUTES.is_sorted());
    }

    #[test]
    fn plain_narratives_are_taken() {
        for content in [
            "text",
            "<p>a <b>b</b><br/>c &amp; &lt; &quot; &#160; &#xA0; é</p>",
            "<table border=\"1\"><tr><td colspan='2' style=\"color: red\">x</td></tr></table>",
            "<a name=\"x\"/><a href=\"http://x\">a</a><a href='#x'>b</a><a href='Patient/1'>c</a>",
            "<img src=\"data:image/png;base64,AAAA\" alt=\"x\"/>",
            "<img src=\"data: image/png;base64,AAAA\"/><img src='#p'/><img src='help16.png'/>",
            "<span style=\"background: url(data: image/png;base64,AA)\">x</span>",
            "<!-- a comment -->x<p xml:lang=\"en\" lang=\"en\">y</p>",
            "<div><div>nested</div></div>",
            "<a href=\"x?a=b:c\">x</a>",
        ] {
            assert_eq!(check(&div(content)), Ok(()), "{content}");
        }
        assert_eq!(check(&format!(" {}\n", div("x"))), Ok(()));
    }

    #[test]
    fn a_narrative_is_one_div_with_content() {
        for text in [
            "",
            " ",
            "text",
            "<div>x</div>",
            "<p xmlns=\"http://www.w3.org/1999/xhtml\">x</p>",
            "<div xmlns=\"http://www.w3.org/2000/svg\">x</div>",
            "<h:div xmlns:h=\"http://www.w3.org/1999/xhtml\">x</h:div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"/>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">x",
            &format!("{}{}", div("x"), div("y")),
            &format!("x{}", div("y")),
            &format!("\u{FEFF}{}", div("y")),
            &div("x\u{FFFE}"),
            &div("x\u{FFFF}"),
            &div("x&#xFFFE;"),
            &div("<p title=\"&#xFFFF;\">x</p>"),
            &div("<p title=\"a\"class=\"b\">x</p>"),
            &div("<img src=\"#a\"alt=\"b\"/>"),
            &format!("{}y", div("x")),
            &format!("{}&amp;", div("x")),
            &div(""),
            &div(" \n<p> </p>"),
            &format!("<?xml version=\"1.0\"?>{}", div("x")),
            &format!("<!DOCTYPE html>{}", div("x")),
            &format!("<!DOCTYPE d [<!ENTITY a \"b\">]>{}", div("&a;")),
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for content in [
            "<p>x",
            "x</p>",
            "<p>x</b>",
            "<p><b>x</p></b>",
            "<p",
            "a & b",
            "a &; b",
            "a < b",
            "<p class=x>x</p>",
            "<p class>x</p>",
            "<p class='a' class='b'>x</p>",
            "]]>",
            "\u{1}x",
            "<p class=\"<\">x</p>",
            "&nbsp;",
            "&copy;",
            "&#0;",
            "&#x1;",
            "&#xD800;",
            "&#;",
            "&#+5;",
            "<![CDATA[x]]>",
            "<?php x ?>",
            "<!-- a -- b -->x",
            "<!--><img src='#x'/>-->x",
            "<P>x</P>",
            "<p title=\"&bad;\">x</p>",
        ] {
            assert!(check(&div(content)).is_err(), "{content}");
        }
    }

    #[test]
    fn active_content_is_refused() {
        for content in [
            "<script>x</script>",
            "<p onclick=\"x\">x</p>",
            "<img src=\"#x\" onerror=\"x\"/>",
            "<iframe src=\"x\"/>",
            "<object/>",
            "<form>x</form>",
            "<input/>",
            "<style>x</style>",
            "<link href=\"x\"/>",
            "<base href=\"x\"/>",
            "<svg>x</svg>",
            "<math>x</math>",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>x</script></svg>",
            "<p xmlns=\"http://www.w3.org/2000/svg\">x</p>",
            "<meta/>",
            "<head/>",
            "<body/>",
            "<a href=\"javascript:x\">x</a>",
            "<a href=\" java&#10;script:x\">x</a>",
            "<a href=\"JaVaScRiPt:x\">x</a>",
            "<a href=\"&#106;avascript:x\">x</a>",
            "<a href=\"data:text/html,x\">x</a>",
            "<a href=\"vbscript:x\">x</a>",
            "<img src=\"javascript:x\"/>",
            "<img src=\"http://a/b.png\"/>",
            "<img src=\"//a/b\"/>",
            "<img src=\"data:image/svg+xml,x\"/>",
            "<img src=\"data:text/html,x\"/>",
            "<p style=\"background:url(http://a/b)\">x</p>",
            "<p style=\"background:url('//a/b')\">x</p>",
            "<p style=\"x:expression(1)\">x</p>",
            "<p style=\"@import 'x'\">x</p>",
            "<p style=\"b\\65havior:x\">x</p>",
            "<p style=\"a:ur/**/l(http://x)\">x</p>",
            "<p xlink:href=\"x\">x</p>",
        ] {
            assert!(check(&div(content)).is_err(), "{content}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(check(&div(&"<b>".repeat(100_000))).is_err());
    }
}
