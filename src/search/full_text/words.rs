//! The words of a resource, as they are stored and looked for.

use crate::search::value::text::folded;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use serde_json::Value;
use std::collections::BTreeMap;

/// Of the words of one text; what is beyond is not found.
const MOST_BYTES: usize = 256 << 10;
/// Of one word; the rest of a longer one does not count.
const WORD_BYTES: usize = 64;
/// Places that the database keeps: so many in a text, and of one word.
const MOST_PLACES: usize = 16_383;
const PLACES_OF_WORD: usize = 255;

/// A word and where it stands, from 1, ascending.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Lexeme {
    pub word: String,
    pub places: Vec<u16>,
}

/// The words of a text, each once, in order of their bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Words(pub Vec<Lexeme>);

impl Words {
    pub fn of(text: &str) -> Words {
        let mut found: BTreeMap<String, Vec<u16>> = BTreeMap::new();
        for (at, word) in split(text).into_iter().enumerate() {
            let places = found.entry(word).or_default();
            if at < MOST_PLACES && places.len() < PLACES_OF_WORD {
                places.push(at as u16 + 1);
            }
        }
        Words(found.into_iter().map(|(word, places)| Lexeme { word, places }).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a word stands; None where it does not.
    pub fn places(&self, word: &str) -> Option<&[u16]> {
        let at = self.0.binary_search_by(|lexeme| lexeme.word.as_str().cmp(word)).ok()?;
        Some(&self.0[at].places)
    }

    /// Whether any word begins so.
    pub fn has_beginning(&self, beginning: &str) -> bool {
        let at = self.0.partition_point(|lexeme| lexeme.word.as_str() < beginning);
        self.0.get(at).is_some_and(|lexeme| lexeme.word.starts_with(beginning))
    }
}

/// Words in their order: letters and digits without case and accents.
pub fn split(text: &str) -> Vec<String> {
    let folded = folded(text, MOST_BYTES);
    let parts = folded.split(|letter: char| !letter.is_alphanumeric());
    parts
        .filter(|part| !part.is_empty())
        .map(|part| crate::search::value::text::beginning(part, WORD_BYTES).to_owned())
        .collect()
}

/// The text of a narrative, without its markup.
pub fn narrative(resource: &Value) -> Option<String> {
    let div = resource.get("text")?.get("div")?.as_str()?;
    Some(without_markup(div))
}

/// Elements within a word or sentence; all others set what is in them apart.
const INLINE: [&str; 16] = [
    "a", "abbr", "acronym", "b", "big", "cite", "code", "dfn", "em", "i", "q", "small", "span",
    "strong", "tt", "var",
];

fn without_markup(div: &str) -> String {
    let mut reader = Reader::from_str(div);
    reader.config_mut().check_end_names = false;
    let mut text = String::with_capacity(div.len() / 2);
    loop {
        match reader.read_event() {
            Ok(Event::Text(part)) => text.push_str(&part),
            Ok(Event::CData(part)) => text.push_str(&part),
            Ok(Event::GeneralRef(name)) => {
                text.push_str(&unescape(&format!("&{};", &*name)).unwrap_or_default());
            }
            Ok(Event::Start(tag)) | Ok(Event::Empty(tag)) => {
                if !INLINE.contains(&tag.name().as_ref()) {
                    text.push(' ');
                }
            }
            Ok(Event::End(tag)) => {
                if !INLINE.contains(&tag.name().as_ref()) {
                    text.push(' ');
                }
            }
            Ok(Event::Eof) => return text,
            Ok(_) => {}
            // Writes refuse what cannot be read; what was imported is read as far as it goes.
            Err(_) => return text,
        }
    }
}

/// Elements whose texts say where something is, and not what; and what is no text.
const NOT_CONTENT: [&str; 7] = ["resourceType", "id", "meta", "system", "url", "reference", "data"];

/// All texts of a resource: of the narrative and of every element, codes and identifiers among
/// them. References, URLs of systems and extensions, `meta` and attachments are left out.
pub fn content(resource: &Value) -> String {
    let mut text = String::new();
    add_texts(resource, &mut text);
    text
}

fn add_texts(value: &Value, text: &mut String) {
    match value {
        Value::String(part) if text.len() <= MOST_BYTES => {
            text.push(' ');
            text.push_str(part);
        }
        Value::Array(items) => items.iter().for_each(|item| add_texts(item, text)),
        Value::Object(object) => {
            for (name, item) in object {
                match (name.as_str(), item) {
                    ("div", Value::String(div)) => {
                        text.push(' ');
                        text.push_str(&without_markup(div));
                    }
                    (name, _) if NOT_CONTENT.contains(&name) => {}
                    _ => add_texts(item, text),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(text: &str) -> String {
        split(text).join(" ")
    }

    #[test]
    fn words_are_letters_and_digits_without_case_and_accents() {
        assert_eq!(words("L'état, c'est (moi): 5.4 mg/dL"), "l etat c est moi 5 4 mg dl");
        assert_eq!(words("Œdème — ŁÓDŹ\u{a0}x"), "oedeme lodz x");
        let long = words(&"ab".repeat(60));
        assert_eq!(long.len(), WORD_BYTES);
        let found = Words::of("b a b");
        assert_eq!(found.places("b"), Some(&[1, 3][..]));
        assert!(
            found.places("c").is_none() && found.has_beginning("a") && !found.has_beginning("ab")
        );
        let many = Words::of(&"x ".repeat(20_000));
        assert_eq!(many.places("x").unwrap().len(), PLACES_OF_WORD);
        assert!(split(&"x ".repeat(1 << 20)).len() <= MOST_BYTES / 2 + 8);
    }

    #[test]
    fn markup_and_attributes_are_no_words_and_blocks_stand_apart() {
        let narrative = |div: &str| words(&narrative(&json!({"text": {"div": div}})).unwrap());
        let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p title=\"a > b\">Bro<b>ken</b></p>\
                   <p>arm</p><br/>left &lt;side&gt; &#233;t&#xE9;&amp;co<!-- no --></div>";
        assert_eq!(narrative(div), "broken arm left side ete co");
        assert_eq!(narrative("<div>a</p>b"), "a b");
        assert_eq!(super::narrative(&json!({"text": {"status": "empty"}})), None);
    }

    #[test]
    fn content_is_every_text_but_addresses() {
        let value = json!({
            "resourceType": "Observation", "id": "x1", "meta": {"source": "urn:m"},
            "text": {"status": "generated", "div": "<div>Weight</div>"},
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7", "display": "Body"}]},
            "subject": {"reference": "Patient/9", "display": "Eve"}, "valueString": "heavy",
            "contained": [{"resourceType": "Patient", "id": "c", "name": [{"family": "Rahmán"}]}]
        });
        assert_eq!(words(&content(&value)), "generated weight 29463 7 body eve heavy rahman");
    }
}
