//! Keys of the texts of coded values, for `:text`. A coded value is called one thing where nothing
//! else is said (`token_text`), and most resources call it so: they need no key for that. One
//! that says more has keys of its further texts; one that does not say it has a mark, and keys of
//! all of its texts.

use super::index_rows::{Ids, packed_key};
use crate::search::{IndexRows, ParameterId, TokenRow};

/// Among the keys of a parameter's texts: its coded values are not called there what they are
/// called elsewhere. No text has this id.
pub const OWN_TEXTS: i64 = 0;

impl Ids<'_> {
    /// The keys that the texts of a resource need, where any differs from what is usual.
    pub(super) fn push_text_keys(&self, rows: &IndexRows, keys: &mut Vec<i64>) {
        let is_usual =
            |row: &TokenRow| self.coded(&row.token).usual_text() == self.text(row.display.as_ref());
        let mut parameters: Vec<ParameterId> = rows
            .tokens
            .iter()
            .filter(|row| !is_usual(row))
            .map(|row| row.parameter)
            .chain(rows.code_texts.iter().map(|row| row.parameter))
            .collect();
        parameters.sort_unstable();
        parameters.dedup();
        for parameter in parameters {
            self.push_of_parameter(rows, parameter, keys);
        }
    }

    fn push_of_parameter(&self, rows: &IndexRows, parameter: ParameterId, keys: &mut Vec<i64>) {
        let coded = || rows.tokens.iter().filter(|row| row.parameter == parameter);
        let further = rows.code_texts.iter().filter(|row| row.parameter == parameter);
        let mut texts: Vec<i64> = coded()
            .map(|row| self.text(row.display.as_ref()))
            .chain(further.map(|row| self.text(Some(&row.text))))
            .filter(|text| *text != OWN_TEXTS)
            .collect();
        let usual = coded().map(|row| self.coded(&row.token).usual_text());
        let usual: Vec<i64> = usual.filter(|text| *text != OWN_TEXTS).collect();
        match usual.iter().all(|text| texts.contains(text)) {
            true => texts.retain(|text| !usual.contains(text)),
            false => texts.push(OWN_TEXTS),
        }
        keys.extend(texts.into_iter().map(|text| packed_key(parameter.beside(), text)));
    }
}
