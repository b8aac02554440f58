//! Where in a document an error was met. Built from the inside out, while the reader returns
//! from the error, so that a good document pays nothing for it.

use std::fmt::Write;

/// A step from a value to the one that holds it.
pub(super) enum Step {
    Property(String),
    Item(usize),
}

/// Names longer than this are cut in error texts.
const NAME_CHARS: usize = 64;

/// The FHIRPath of the place: `root` and the steps, innermost first, such as
/// `Patient.name[0].given`.
pub(super) fn expression(root: Option<&str>, steps: &[Step]) -> String {
    let mut text = root.map(str::to_owned).unwrap_or_default();
    for step in steps.iter().rev() {
        match step {
            Step::Item(index) => {
                let _ = write!(text, "[{index}]");
            }
            Step::Property(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                push_identifier(&mut text, name);
            }
        }
    }
    text
}

/// A name as FHIRPath has it: delimited by back-ticks where it is no plain identifier.
pub(crate) fn push_identifier(text: &mut String, name: &str) {
    let is_plain = !name.is_empty()
        && name.len() <= NAME_CHARS
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.as_bytes()[0].is_ascii_digit();
    if is_plain {
        text.push_str(name);
        return;
    }
    text.push('`');
    for letter in name.chars().take(NAME_CHARS) {
        match letter {
            '`' | '\\' => text.extend(['\\', letter]),
            _ if letter.is_control() => text.push(char::REPLACEMENT_CHARACTER),
            _ => text.push(letter),
        }
    }
    if name.chars().nth(NAME_CHARS).is_some() {
        text.push('…');
    }
    text.push('`');
}

/// A name for an error text, cut where it is long.
pub(crate) fn shown(name: &str) -> String {
    let mut text: String = name.chars().take(NAME_CHARS).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    text
}
