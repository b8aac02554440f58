//! Functions of formatted Rust, found by their indentation.

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    pub name: &'a str,
    /// Number of its first line.
    pub line: usize,
    pub lines: usize,
    /// Without `self`.
    pub arguments: usize,
}

/// Every function of a file that `rustfmt` has formatted.
pub fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines.iter().enumerate().filter_map(|(at, line)| Some((at, name(line)?)));
    starts.filter_map(|(at, name)| function(&lines[at..], at + 1, name)).collect()
}

/// The name, where a function begins in the line.
fn name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (before, after) = line.split_once("fn ")?;
    let words = ["pub", "const", "async", "unsafe", "extern", "(crate)", "(super)"];
    let is_start = before
        .split_whitespace()
        .all(|word| words.contains(&word) || word.starts_with("pub(") || word.ends_with(')'));
    let end = after.find(['(', '<'])?;
    (is_start && end > 0).then_some(&after[..end])
}

fn function<'a>(lines: &[&str], line: usize, name: &'a str) -> Option<Function<'a>> {
    let indent = lines[0].len() - lines[0].trim_start().len();
    let signature_end = lines.iter().position(|line| {
        let line = line.trim_end();
        line.ends_with('{') || line.ends_with('}') || line.ends_with(';')
    })?;
    if lines[signature_end].trim_end().ends_with(';') {
        return None;
    }
    let signature = lines[..=signature_end].join("\n");
    // Arguments of property tests are drawn from strategies, `name in strategy`.
    let arguments = if signature.contains(" in ") { 0 } else { arguments(&signature) };
    if lines[signature_end].trim_end().ends_with('}') {
        return Some(Function { name, line, lines: signature_end + 1, arguments });
    }
    let closing = format!("{}}}", " ".repeat(indent));
    let end = lines.iter().position(|line| line.trim_end() == closing)?;
    Some(Function { name, line, lines: end + 1, arguments })
}

/// Counts the parameters between the outer parentheses.
fn arguments(signature: &str) -> usize {
    let after = signature.split_once("fn ").map_or("", |(_, after)| after);
    let mut depth = 0;
    let mut angles = 0;
    let mut inside = String::new();
    let mut previous = ' ';
    for c in after.chars() {
        match c {
            '<' => angles += 1,
            '>' if previous != '-' => angles -= 1,
            '(' | '[' if depth > 0 || angles == 0 => depth += 1,
            ')' | ']' if depth == 1 => break,
            ')' | ']' if depth > 1 => depth -= 1,
            ',' if depth == 1 && angles == 0 => inside.push('\u{1}'),
            _ if depth >= 1 => inside.push(c),
            _ => {}
        }
        previous = c;
    }
    let is_argument = |part: &&str| {
        let name = part.split(':').next().unwrap_or_default().trim();
        !name.is_empty() && name.split([' ', '&']).next_back() != Some("self")
    };
    inside.split('\u{1}').filter(is_argument).count()
}

#[test]
fn functions_are_measured() {
    let text = [
        "impl A {",
        "    pub async fn one<F: Fn(u8, u8)>(&self, f: F, map: HashMap<u8, u8>) {",
        "        f(1, 2)",
        "    }",
        "}",
        "",
        "fn two() {}",
        "",
        "trait B {",
        "    fn three(&self);",
        "}",
        "fn four(",
        "    a: (u8, u8),",
        "    b: impl Fn(u8, u8) -> u8,",
        ") -> u8 {",
        "    1",
        "}",
    ];
    let text = text.join("\n");
    let expected = vec![
        Function { name: "one", line: 2, lines: 3, arguments: 2 },
        Function { name: "two", line: 7, lines: 1, arguments: 0 },
        Function { name: "four", line: 12, lines: 6, arguments: 2 },
    ];
    assert_eq!(functions(&text), expected);
}
