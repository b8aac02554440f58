//! `Narrative.div`: XHTML that JSON carries as a string and XML as it is, character for
//! character (<https://hl7.org/fhir/R4/narrative.html>, <https://hl7.org/fhir/R4/json.html#xhtml>).

use super::XHTML_NAMESPACE;
use super::chars::{escape_attribute, illegal_character};
use super::tokens::{Tag, Token, Tokens};
use crate::error::{Issue, IssueCode};
use crate::limits::Limits;

type Step<T> = std::result::Result<T, Issue>;

/// The source text of the `div` whose start was the latest token, up to its end. Where its
/// namespace comes from outside (a prefix, or a declaration further up), the names are written
/// anew so that the text stands by itself.
pub(super) fn read(tokens: &mut Tokens<'_>, tag: Tag<'_>) -> Step<String> {
    let is_standalone = tag.prefix.is_empty()
        && tag.attributes.iter().any(|a| a.prefix.is_empty() && a.local == "xmlns");
    if !is_standalone {
        return rewrite(tokens, tag);
    }
    tokens.skip()?;
    let text = tokens.source().get(tag.start..tokens.position()).unwrap_or_default();
    Ok(text.to_owned())
}

fn rewrite(tokens: &mut Tokens<'_>, tag: Tag<'_>) -> Step<String> {
    let mut out = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut next = Token::Start(tag);
    loop {
        match next {
            Token::Start(tag) => {
                if tag.namespace != XHTML_NAMESPACE {
                    let text = format!("'{}' is not an element of XHTML", tag.local);
                    return Err(tokens.fault(tag.start, text));
                }
                write_tag(&tag, open.is_empty(), &mut out);
                open.push(tag.local);
            }
            Token::End => {
                let name = open.pop().unwrap_or_default();
                out.extend(["</", name, ">"]);
                if open.is_empty() {
                    return Ok(out);
                }
            }
            Token::Text(_) | Token::Comment(_) => {}
            Token::Eof => return Err(tokens.fault(tokens.position(), "The narrative is cut off")),
        }
        let before = tokens.position();
        next = tokens.next()?;
        if matches!(next, Token::Text(_) | Token::Comment(_)) {
            out.push_str(tokens.source().get(before..tokens.position()).unwrap_or_default());
        }
    }
}

fn write_tag(tag: &Tag<'_>, is_root: bool, out: &mut String) {
    out.extend(["<", tag.local]);
    if is_root {
        out.extend([" xmlns=\"", XHTML_NAMESPACE, "\""]);
    }
    for attribute in tag.attributes.iter().filter(|attribute| !attribute.is_declaration()) {
        // Attributes of XHTML have no prefix but that of XML itself.
        match attribute.prefix {
            "" => out.extend([" ", attribute.local, "=\""]),
            "xml" => out.extend([" xml:", attribute.local, "=\""]),
            _ => continue,
        }
        escape_attribute(&attribute.value, out);
        out.push('"');
    }
    out.push('>');
}

/// What keeps the JSON string from standing in XML as it is; None for nothing.
pub(super) fn fault(text: &str, limits: &Limits) -> Option<Issue> {
    if let Some((_, character)) = illegal_character(text) {
        let text = format!("XML has no character U+{:04X}", u32::from(character));
        return Some(Issue::error(IssueCode::Structure, "", text));
    }
    let mut tokens = Tokens::new(text, limits);
    check(&mut tokens).err()
}

fn check(tokens: &mut Tokens<'_>) -> Step<()> {
    let mut is_root = true;
    loop {
        match tokens.next()? {
            Token::Start(tag) if is_root => {
                if tag.local != "div" || !tag.prefix.is_empty() || tag.namespace != XHTML_NAMESPACE
                {
                    let text = format!("A narrative is a <div xmlns=\"{XHTML_NAMESPACE}\">");
                    return Err(tokens.fault(tag.start, text));
                }
                is_root = false;
            }
            Token::Eof => return Ok(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrative_is_one_well_formed_div_of_xhtml() {
        let limits = Limits::default();
        let is_fit = |text: &str| fault(text, &limits).is_none();
        assert!(is_fit("<div xmlns=\"http://www.w3.org/1999/xhtml\">a &amp; <b>b</b></div>"));
        for text in [
            "",
            "text",
            "<div>a</div>",
            "<p xmlns=\"http://www.w3.org/1999/xhtml\"/>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">a &nbsp; b</div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><br></div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"/><script/>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">\u{1}</div>",
        ] {
            assert!(!is_fit(text), "{text}");
        }
    }
}
