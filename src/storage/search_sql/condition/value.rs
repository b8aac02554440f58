//! Conditions on a value `v` of a side table, beside its parameter.

use crate::search::Predicate;
use crate::search::full_text::{TextOf, TextQuery};
use crate::search::value::string::{LAST, StringTest};
use crate::search::value::token::TokenTest;
use crate::search::value::uri::UriTest;
use crate::storage::statement::Statement;

/// Whether it asks for what is anywhere in a string, or at its end.
pub fn is_within(predicate: &Predicate) -> bool {
    let Predicate::String { test, .. } = predicate else { return false };
    matches!(test, StringTest::Contains(_) | StringTest::EndsWith(_))
}

/// Rows of what is too long for an index.
pub fn push_long(sql: &mut Statement, predicate: &Predicate) {
    let Predicate::String { parameter, test, .. } = predicate else { return };
    sql.push("select v.rid from string_value v where v.normalised = '' and v.parameter = ");
    sql.bind(parameter.beside().0).push(" and ");
    push_text(sql, ("v.raw", "v.raw"), test);
}

pub fn push_identifier(sql: &mut Statement, test: &TokenTest) {
    match test {
        TokenTest::Code(value) => sql.push("v.value = ").bind(value.as_str()),
        TokenTest::System(system) => sql.push("v.system = ").bind(system.as_str()),
        TokenTest::MediaType(_) => sql.push("false"),
        TokenTest::Exact(token) => {
            sql.push("(v.value = ").bind(token.code.as_str());
            sql.push(" and v.system = ").bind(token.system.as_str()).push(")")
        }
    };
}

pub fn push_uri(sql: &mut Statement, test: &UriTest) {
    match test {
        UriTest::Is(values) => match &values[..] {
            [value] => drop(sql.push("v.value = ").bind(value.as_str())),
            values => drop(sql.push("v.value = any(").bind(values.to_vec()).push(")")),
        },
        UriTest::Below { itself, prefix } => {
            sql.push("(v.value = ").bind(itself.as_str()).push(" or v.value >= ");
            sql.bind(prefix.as_str()).push(" and v.value < ").bind(format!("{prefix}{LAST}"));
            sql.push(")");
        }
    }
}

/// Rows of which a text has the words.
pub fn push_words(sql: &mut Statement, of: TextOf, query: &TextQuery) {
    sql.push("r.rid in (select v.rid from text_value v where ");
    sql.push(if of.is_content() { "v.is_content" } else { "not v.is_content" });
    sql.push(" and v.words @@ ").bind(query.text()).push("::tsquery)");
}

/// A text to the letter within a pattern.
fn like(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

pub fn push_text(
    sql: &mut Statement,
    (column, raw): (&'static str, &'static str),
    test: &StringTest,
) {
    match test {
        StringTest::StartsWith(text) => {
            sql.push("(").push(column).push(" >= ").bind(text.as_str());
            sql.push(" and ").push(column).push(" < ").bind(format!("{text}{LAST}")).push(")");
        }
        StringTest::Contains(text) => {
            sql.push(column).push(" like ").bind(format!("%{}%", like(text)));
        }
        StringTest::EndsWith(text) => {
            sql.push(column).push(" like ").bind(format!("%{}", like(text)));
        }
        StringTest::Same(text) => drop(sql.push(column).push(" = ").bind(text.as_str())),
        StringTest::From(text) => drop(sql.push(column).push(" >= ").bind(text.as_str())),
        StringTest::Before(text) => drop(sql.push(column).push(" < ").bind(text.as_str())),
        StringTest::Exact { normalised, raw: text } => {
            sql.push("(").push(column).push(" = ").bind(normalised.as_str());
            sql.push(" and ").push(raw).push(" = ").bind(text.as_str()).push(")");
        }
    }
}
