//! What `_text` and `_content` are asked: words that must all be there, `and`, `or`, `not`,
//! parentheses, "a phrase", and `begin*` for words that begin so.

use super::words::{Words, split};

/// An expression over words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TextQuery {
    Word(String),
    /// A word begins so.
    Beginning(String),
    /// One after the other.
    Phrase(Vec<String>),
    All(Vec<TextQuery>),
    Any(Vec<TextQuery>),
    Not(Box<TextQuery>),
}

/// How much a query may ask.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub words: usize,
    /// Parentheses and negations within each other.
    pub depth: usize,
}

/// Why a text is no query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// What would be right.
    Unreadable(&'static str),
    /// Over a limit, named with its value.
    TooCostly(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Item {
    Open,
    Close,
    And,
    Or,
    Not,
    Term(TextQuery),
}

struct Parser {
    items: std::iter::Peekable<std::vec::IntoIter<Item>>,
    depth: usize,
}

const OPERAND: &str = "there is a word, a \"phrase\" or an expression in parentheses on each side \
                       of and, of or, and behind not";
const CLOSE: &str = "every parenthesis and quotation mark that opens is closed";

impl TextQuery {
    /// Reads the value of a parameter.
    pub fn parse(text: &str, bounds: Bounds) -> Result<TextQuery, Fault> {
        let items = items(text)?;
        let words: usize = items.iter().map(Item::words).sum();
        if words > bounds.words {
            let most = bounds.words;
            return Err(Fault::TooCostly(format!("It has more than {most} words")));
        }
        let mut parser = Parser { items: items.into_iter().peekable(), depth: bounds.depth };
        let query = parser.any()?;
        match parser.items.next() {
            None => Ok(query),
            Some(_) => Err(Fault::Unreadable(CLOSE)),
        }
    }

    /// Whether a text with these words is asked for.
    pub fn admits(&self, words: &Words) -> bool {
        match self {
            TextQuery::Word(word) => words.places(word).is_some(),
            TextQuery::Beginning(beginning) => words.has_beginning(beginning),
            TextQuery::Phrase(phrase) => {
                let mut places = phrase.iter().map(|word| words.places(word).unwrap_or_default());
                let Some(first) = places.next() else { return false };
                let rest: Vec<&[u16]> = places.collect();
                first.iter().any(|start| {
                    let mut next = (*start..).skip(1);
                    rest.iter().all(|places| next.next().is_some_and(|at| places.contains(&at)))
                })
            }
            TextQuery::All(parts) => parts.iter().all(|part| part.admits(words)),
            TextQuery::Any(parts) => parts.iter().any(|part| part.admits(words)),
            TextQuery::Not(part) => !part.admits(words),
        }
    }

    /// The query as the database reads it (`tsquery`); words have no marks of their own.
    pub fn text(&self) -> String {
        let joined = |parts: &[TextQuery], with: &str| {
            let parts: Vec<String> = parts.iter().map(TextQuery::text).collect();
            format!("({})", parts.join(with))
        };
        match self {
            TextQuery::Word(word) => format!("'{word}'"),
            TextQuery::Beginning(word) => format!("'{word}':*"),
            TextQuery::Phrase(words) => format!("('{}')", words.join("' <-> '")),
            TextQuery::All(parts) => joined(parts, " & "),
            TextQuery::Any(parts) => joined(parts, " | "),
            TextQuery::Not(part) => format!("!({})", part.text()),
        }
    }
}

impl Item {
    fn words(&self) -> usize {
        match self {
            Item::Term(TextQuery::Phrase(words)) => words.len(),
            Item::Term(_) => 1,
            _ => 0,
        }
    }
}

/// A text in quotation marks, or between spaces, may have several words: they are a phrase.
fn items(text: &str) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (item, length) = match first {
            '(' => (Some(Item::Open), 1),
            ')' => (Some(Item::Close), 1),
            '"' => {
                let end = rest[1..].find('"').ok_or(Fault::Unreadable(CLOSE))?;
                (phrase(&rest[1..=end], false), end + 2)
            }
            _ => {
                let is_end = |letter: char| letter.is_whitespace() || "()\"".contains(letter);
                let end = rest.find(is_end).unwrap_or(rest.len());
                (word(&rest[..end]), end)
            }
        };
        items.extend(item);
        rest = rest[length..].trim_start();
    }
    Ok(items)
}

fn word(text: &str) -> Option<Item> {
    match text.to_ascii_lowercase().as_str() {
        "and" => Some(Item::And),
        "or" => Some(Item::Or),
        "not" => Some(Item::Not),
        _ => phrase(text, text.ends_with('*')),
    }
}

/// None for what has no letters and digits.
fn phrase(text: &str, is_beginning: bool) -> Option<Item> {
    let mut words = split(text);
    let last = words.pop()?;
    let last_term = match is_beginning {
        true => TextQuery::Beginning(last.clone()),
        false => TextQuery::Word(last.clone()),
    };
    Some(Item::Term(match (words.is_empty(), is_beginning) {
        (true, _) => last_term,
        (false, true) => {
            TextQuery::All(words.into_iter().map(TextQuery::Word).chain([last_term]).collect())
        }
        (false, false) => TextQuery::Phrase(words.into_iter().chain([last]).collect()),
    }))
}

impl Parser {
    fn any(&mut self) -> Result<TextQuery, Fault> {
        let mut parts = vec![self.all()?];
        while self.items.next_if_eq(&Item::Or).is_some() {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { TextQuery::Any(parts) })
    }

    fn all(&mut self) -> Result<TextQuery, Fault> {
        let mut parts = vec![self.one()?];
        while !matches!(self.items.peek(), None | Some(Item::Or | Item::Close)) {
            self.items.next_if_eq(&Item::And);
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { TextQuery::All(parts) })
    }

    fn one(&mut self) -> Result<TextQuery, Fault> {
        match self.items.next() {
            Some(Item::Term(query)) => Ok(query),
            Some(Item::Not) => Ok(TextQuery::Not(Box::new(self.within(Parser::one)?))),
            Some(Item::Open) => {
                let query = self.within(Parser::any)?;
                match self.items.next() {
                    Some(Item::Close) => Ok(query),
                    _ => Err(Fault::Unreadable(CLOSE)),
                }
            }
            _ => Err(Fault::Unreadable(OPERAND)),
        }
    }

    fn within(
        &mut self,
        read: impl Fn(&mut Parser) -> Result<TextQuery, Fault>,
    ) -> Result<TextQuery, Fault> {
        if self.depth == 0 {
            let text = "It has too many parentheses or negations within each other";
            return Err(Fault::TooCostly(text.to_owned()));
        }
        self.depth -= 1;
        let query = read(self);
        self.depth += 1;
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TextQuery, Fault> {
        TextQuery::parse(text, Bounds { words: 8, depth: 3 })
    }

    #[test]
    fn expressions_are_read_with_or_weaker_than_and() {
        for (text, expected) in [
            ("bone", "'bone'"),
            ("(bone OR liver) and metastases", "(('bone' | 'liver') & 'metastases')"),
            ("bone or liver metastases", "('bone' | ('liver' & 'metastases'))"),
            ("not bone and Été*", "(!('bone') & 'ete':*)"),
            ("\"broken arm\" x-ray", "(('broken' <-> 'arm') & ('x' <-> 'ray'))"),
            ("\"or\" — 'it''s'", "('or' & ('it' <-> 's'))"),
            ("x-ra*", "('x' & 'ra':*)"),
            ("not not a", "!(!('a'))"),
        ] {
            assert_eq!(parse(text).unwrap().text(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_says_what_would_be_right() {
        for text in ["", "and", "a or", "(a", "a)", "\"a", "()", "not", "a and or b", "—", "or a"]
        {
            assert!(matches!(parse(text), Err(Fault::Unreadable(_))), "{text}");
        }
        for text in ["a b c d e f g h i", "((((a))))", "not not not not a"] {
            assert!(matches!(parse(text), Err(Fault::TooCostly(_))), "{text}");
        }
    }

    #[test]
    fn a_query_admits_what_has_the_words() {
        let words = Words::of("The left arm is broken, the right arm is not");
        for (text, expected) in [
            ("arm broken", true),
            ("arm leg", false),
            ("arm or leg", true),
            ("not leg", true),
            ("\"left arm\"", true),
            ("\"right arm is not\"", true),
            ("\"arm left\"", false),
            ("bro*", true),
            ("brok", false),
            ("(leg or foot) and arm", false),
        ] {
            assert_eq!(parse(text).unwrap().admits(&words), expected, "{text}");
        }
    }
}
