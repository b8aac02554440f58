//! `htmlChecks()`: what the XHTML of a narrative may hold (narrative.html#xhtml).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

/// Basic formatting of HTML 4.0, chapters 7 to 11 (without section 4 of chapter 9) and 15,
/// with links, images and tables: no scripts, forms, frames, objects, or head elements.
const ELEMENTS: [&str; 57] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
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
    "ins",
    "kbd",
    "li",
    "map",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
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

const ATTRIBUTES: [&str; 53] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "border",
    "cellpadding",
    "cellspacing",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "color",
    "colspan",
    "coords",
    "datetime",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "id",
    "idref",
    "ismap",
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
    "target",
    "title",
    "type",
    "usemap",
    "valign",
    "value",
    "width",
    "xml:lang",
    "xml:space",
    "xmlns",
    "bgcolor",
];

/// True where the text is one `div` of well-formed XHTML with allowed elements and attributes
/// only, and says something: txt-1 and txt-2.
pub(super) fn is_allowed(html: &str) -> bool {
    check(html).unwrap_or(false)
}

/// None where the text is not well-formed or holds something that is not allowed.
fn check(html: &str) -> Option<bool> {
    let mut reader = Reader::from_str(html.trim());
    reader.config_mut().check_end_names = true;
    let mut depth = 0usize;
    let mut has_root = false;
    let mut has_content = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                element(&start, depth == 0, &mut has_content)?;
                (depth > 0 || !has_root).then_some(())?;
                has_root = true;
                depth += 1;
            }
            Event::Empty(start) => {
                (depth > 0).then_some(())?;
                element(&start, false, &mut has_content)?;
            }
            Event::End(_) => depth = depth.checked_sub(1)?,
            Event::Text(text) => {
                let text: &str = &text;
                has_content |= depth > 0 && !text.trim().is_empty();
                (depth > 0 || text.trim().is_empty()).then_some(())?;
            }
            Event::GeneralRef(entity) => {
                // XML knows no `&nbsp;` and the like without a DTD.
                let name: &str = &entity;
                let is_known = matches!(name, "amp" | "lt" | "gt" | "quot" | "apos");
                (depth > 0 && (is_known || entity.is_char_ref())).then_some(())?;
                has_content = true;
            }
            Event::CData(_) => has_content = (depth > 0).then_some(true)?,
            Event::Comment(_) => {}
            Event::Eof => return Some(depth == 0 && has_root && has_content),
            // Processing instructions, declarations, document types.
            _ => return None,
        }
    }
}

fn element(start: &BytesStart<'_>, is_root: bool, has_content: &mut bool) -> Option<()> {
    let name = start.name();
    let name: &str = name.as_ref();
    ELEMENTS.contains(&name).then_some(())?;
    let mut namespace = None;
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let key: &str = attribute.key.as_ref();
        let value: &str = &attribute.value;
        ATTRIBUTES.contains(&key).then_some(())?;
        match key {
            "xmlns" => namespace = Some(value.to_owned()),
            "href" | "src" => is_harmless(value).then_some(())?,
            _ => {}
        }
    }
    *has_content |= name == "img";
    match (is_root, namespace) {
        (true, namespace) => (name == "div" && namespace? == NAMESPACE).then_some(()),
        (false, Some(namespace)) => (namespace == NAMESPACE).then_some(()),
        (false, None) => Some(()),
    }
}

/// No link may run a script.
fn is_harmless(url: &str) -> bool {
    let url: String = url.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let url = url.to_ascii_lowercase();
    !url.starts_with("javascript:") && !url.starts_with("vbscript:") && !url.contains("&#")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn div(content: &str) -> String {
        format!("<div xmlns=\"{NAMESPACE}\">{content}</div>")
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
            assert!(is_allowed(&div(content)), "{content}");
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
            assert!(!is_allowed(&div(content)), "{content}");
        }
        assert!(!is_allowed("<div>x</div>"));
        assert!(!is_allowed(&format!("<p xmlns=\"{NAMESPACE}\">x</p>")));
        assert!(!is_allowed(&format!("{}{}", div("x"), div("y"))));
        assert!(!is_allowed(&format!("<!DOCTYPE html>{}", div("x"))));
        assert!(!is_allowed("text"));
    }
}
