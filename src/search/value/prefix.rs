//! Prefixes of ordered search values: <https://hl7.org/fhir/R4/search.html#prefix>.

/// How a stored range [`tl`, `th`) compares with that of the search value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prefix {
    Equal,
    NotEqual,
    GreaterThan,
    LessThan,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
    Approximately,
}

const PREFIXES: [(&str, Prefix); 9] = [
    ("eq", Prefix::Equal),
    ("ne", Prefix::NotEqual),
    ("gt", Prefix::GreaterThan),
    ("lt", Prefix::LessThan),
    ("ge", Prefix::GreaterOrEqual),
    ("le", Prefix::LessOrEqual),
    ("sa", Prefix::StartsAfter),
    ("eb", Prefix::EndsBefore),
    ("ap", Prefix::Approximately),
];

impl Prefix {
    /// The prefix of a search value and the rest; `eq` where there is none.
    pub fn split(text: &str) -> (Prefix, &str) {
        PREFIXES
            .iter()
            .find_map(|(letters, prefix)| Some((*prefix, text.strip_prefix(letters)?)))
            .unwrap_or((Prefix::Equal, text))
    }
}

/// A condition on the bounds of a stored range. Storage writes it as SQL, [`Test::admits`] is
/// the same in memory.
#[derive(Clone, PartialEq, Debug)]
pub enum Test<T> {
    /// The stored range lies within: `low >= from`, `low < to`, `high <= to`.
    Within { from: T, to: T },
    /// It does not: `low < from` or `high > to` (a point at `to` included).
    NotWithin { from: T, to: T },
    /// The stored range, whose ends belong to it, lies within: `low >= from`, `high < to`.
    ClosedWithin { from: T, to: T },
    /// It does not: `low < from` or `high >= to`.
    ClosedNotWithin { from: T, to: T },
    /// `high > bound`.
    HighAbove(T),
    /// `low < bound`.
    LowBelow(T),
    /// `low >= bound`.
    LowFrom(T),
    /// `low > bound`.
    LowAbove(T),
    /// `high <= bound`.
    HighTo(T),
    /// `high < bound`.
    HighBelow(T),
    /// `high >= bound`.
    HighFrom(T),
    /// `low <= bound`.
    LowTo(T),
    /// `low >= from` or `high > to`: ge of two ranges.
    FromOrBeyond { from: T, to: T },
    /// `high <= to` or `low < from`: le of two ranges.
    ToOrBefore { from: T, to: T },
    /// The ranges have a point in common: `low < to` and `high >= from`.
    Overlaps { from: T, to: T },
    /// Half open ranges have an instant in common: `low < to` and `high > from`.
    Meets { from: T, to: T },
    /// The stored range has all of the other: `low <= from` and `high >= to`.
    Covers { from: T, to: T },
}

impl<T: PartialOrd + Copy> Test<T> {
    /// Whether a stored range passes.
    pub fn admits(&self, (low, high): (T, T)) -> bool {
        match *self {
            Test::Within { from, to } => low >= from && low < to && high <= to,
            Test::NotWithin { from, to } => low < from || low >= to || high > to,
            Test::ClosedWithin { from, to } => low >= from && high < to,
            Test::ClosedNotWithin { from, to } => low < from || high >= to,
            Test::HighAbove(bound) => high > bound,
            Test::LowBelow(bound) => low < bound,
            Test::LowFrom(bound) => low >= bound,
            Test::LowAbove(bound) => low > bound,
            Test::HighTo(bound) => high <= bound,
            Test::HighBelow(bound) => high < bound,
            Test::HighFrom(bound) => high >= bound,
            Test::LowTo(bound) => low <= bound,
            Test::FromOrBeyond { from, to } => low >= from || high > to,
            Test::ToOrBefore { from, to } => high <= to || low < from,
            Test::Overlaps { from, to } => low < to && high >= from,
            Test::Meets { from, to } => low < to && high > from,
            Test::Covers { from, to } => low <= from && high >= to,
        }
    }
}
