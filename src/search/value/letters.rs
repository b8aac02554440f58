//! Latin letters that are a base letter with something through it or on it, and yet have no
//! decomposition in Unicode: in search they are that letter, as accents count for nothing
//! (<https://hl7.org/fhir/R4/search.html#string>).
//!
//! The base letter is that of the character's name: `LATIN SMALL LETTER L WITH STROKE` is l,
//! `OPEN E` is e, GAMMA (of African languages) g; AE and OE are two letters, THORN is th, ETH d,
//! ENG n. Left out are letters that languages write in different ways without them, such as
//! schwa, and those of phonetic transcription alone. SHARP S and DOTLESS I are ss and i by their
//! upper case.

/// Lower case, in order of the code points.
const BASES: [(char, &str); 67] = [
    ('æ', "ae"),
    ('ð', "d"),
    ('ø', "o"),
    ('þ', "th"),
    ('đ', "d"),
    ('ħ', "h"),
    ('ł', "l"),
    ('ŋ', "n"),
    ('œ', "oe"),
    ('ŧ', "t"),
    ('ƀ', "b"),
    ('ƃ', "b"),
    ('ƈ', "c"),
    ('ƌ', "d"),
    ('ƒ', "f"),
    ('ƙ', "k"),
    ('ƚ', "l"),
    ('ƞ', "n"),
    ('ƥ', "p"),
    ('ƭ', "t"),
    ('ƴ', "y"),
    ('ƶ', "z"),
    ('ǥ', "g"),
    ('ȥ', "z"),
    ('ȼ', "c"),
    ('ȿ', "s"),
    ('ɀ', "z"),
    ('ɇ', "e"),
    ('ɉ', "j"),
    ('ɋ', "q"),
    ('ɍ', "r"),
    ('ɏ', "y"),
    ('ɓ', "b"),
    ('ɔ', "o"),
    ('ɖ', "d"),
    ('ɗ', "d"),
    ('ɛ', "e"),
    ('ɠ', "g"),
    ('ɣ', "g"),
    ('ɦ', "h"),
    ('ɨ', "i"),
    ('ɩ', "i"),
    ('ɫ', "l"),
    ('ɱ', "m"),
    ('ɲ', "n"),
    ('ɽ', "r"),
    ('ʂ', "s"),
    ('ʈ', "t"),
    ('ʉ', "u"),
    ('ʊ', "u"),
    ('ʋ', "v"),
    ('ᵽ', "p"),
    ('ⱡ', "l"),
    ('ⱥ', "a"),
    ('ⱦ', "t"),
    ('ⱨ', "h"),
    ('ⱪ', "k"),
    ('ⱬ', "z"),
    ('ⱳ', "w"),
    ('ꞑ', "n"),
    ('ꞓ', "c"),
    ('ꞗ', "b"),
    ('ꞡ', "g"),
    ('ꞣ', "k"),
    ('ꞥ', "n"),
    ('ꞧ', "r"),
    ('ꞩ', "s"),
];

/// What an index key has in place of a lower-case letter; None for the letter itself.
pub fn base(letter: char) -> Option<&'static str> {
    if letter.is_ascii() {
        return None;
    }
    BASES.binary_search_by_key(&letter, |(known, _)| *known).ok().map(|at| BASES[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    #[test]
    fn letters_are_in_order_in_lower_case_and_have_no_decomposition() {
        assert!(BASES.is_sorted_by_key(|(letter, _)| *letter));
        for (letter, base) in BASES {
            assert!(letter.to_lowercase().eq([letter]), "{letter}");
            assert!([letter].into_iter().nfkd().eq([letter]), "{letter}");
            assert!(base.bytes().all(|byte| byte.is_ascii_lowercase()), "{letter}");
        }
    }
}
