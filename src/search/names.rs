//! Near names for a message about an unknown one.

/// Up to three of the names that a typing error leads to.
pub fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|known| {
            let distance = distance(&name.to_lowercase(), &known.to_lowercase());
            let is_part = name.len() >= 4 && (known.contains(name) || name.contains(known));
            let is_near = distance <= 2 && distance < known.len();
            (is_near || (is_part && known.len() >= 4)).then_some((distance, known))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, known)| known).collect()
}

/// Levenshtein's distance of the first 64 letters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_leads_to_the_name_that_was_meant() {
        let names = ["name", "gender", "birthdate", "general-practitioner", "given"];
        let near = |name| near(name, names.into_iter());
        assert_eq!(near("nmae"), ["name"]);
        assert_eq!(near("Gender"), ["gender"]);
        assert_eq!(near("practitioner"), ["general-practitioner"]);
        assert!(near("zzzzzz").is_empty());
    }
}
