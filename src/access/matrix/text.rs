//! The matrix as text: read from its file, and written for people.

use super::type_set::TypeSet;
use super::{Acts, GUARDS, Kept, Listing, Matrix, Redaction, Row, Rule, Sight};
use crate::access::role::Role;
use crate::fhir::definitions::{Definitions, ResourceType};
use crate::search::r4_parameter;
use std::collections::HashMap;

type Parsed<T> = Result<T, String>;

/// What a block of the file is about.
enum Block {
    None,
    Directory(Vec<ResourceType>),
    Redaction(Redaction),
    /// Names of types; True once a line of a role has been read.
    Access(Row, bool),
}

/// The matrix of a file. An error names the line that it does not understand.
pub fn parse(text: &'static str) -> Parsed<Matrix> {
    let mut matrix = Matrix { rows: Vec::new(), listings: HashMap::new(), redactions: Vec::new() };
    let mut block = Block::None;
    for (index, line) in text.lines().enumerate() {
        let fault = |why: String| format!("line {}: {why}", index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix("  ") {
            Some(line) => matrix.detail(&mut block, line).map_err(fault)?,
            None => matrix.head(&mut block, line).map_err(fault)?,
        }
    }
    matrix.end(block);
    matrix.resolve()?;
    Ok(matrix)
}

fn resource_type(name: &str) -> Parsed<ResourceType> {
    ResourceType::parse(name).ok_or_else(|| format!("{name} is no resource type"))
}

impl Matrix {
    fn head(&mut self, block: &mut Block, line: &'static str) -> Parsed<()> {
        let (word, rest) = line.split_once(' ').ok_or("a block names what it is about")?;
        let names: Vec<&str> = rest.split(", ").collect();
        if let (Block::Access(row, false), "access") = (&mut *block, word) {
            row.names.extend(names);
            return Ok(());
        }
        let next = match word {
            "directory" => {
                Block::Directory(names.iter().copied().map(resource_type).collect::<Parsed<_>>()?)
            }
            "redaction" => {
                let (name, kind) = rest.split_once(' ').ok_or("a redaction is of a type")?;
                let resource_type = resource_type(kind)?;
                Block::Redaction(Redaction {
                    name,
                    resource_type,
                    kept: Vec::new(),
                    own: None,
                    searched: Vec::new(),
                    searched_own: Vec::new(),
                })
            }
            "access" => {
                let (types, rules) = (TypeSet::default(), HashMap::new());
                Block::Access(Row { names, types, rules }, false)
            }
            _ => return Err(format!("{word} begins no block")),
        };
        self.end(std::mem::replace(block, next));
        Ok(())
    }

    fn end(&mut self, block: Block) {
        match block {
            Block::None | Block::Directory(_) => {}
            Block::Redaction(redaction) => self.redactions.push(redaction),
            Block::Access(row, _) => self.rows.push(row),
        }
    }

    fn detail(&mut self, block: &mut Block, line: &'static str) -> Parsed<()> {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        let (first, rest) = words.split_first().ok_or("an empty line")?;
        match block {
            Block::None => Err("a line before any block".to_owned()),
            Block::Directory(types) => {
                let (how, codes) = rest.split_first().ok_or("a listing has codes")?;
                for kind in types {
                    let parameter = r4_parameter(*kind, first)
                        .ok_or_else(|| format!("{kind} has no search parameter {first}"))?;
                    let (codes, has) = (codes.to_vec(), *how == "is");
                    self.listings.insert(*kind, Listing { parameter, codes, has });
                }
                Ok(())
            }
            Block::Redaction(redaction) => {
                match *first {
                    "keep" => redaction.kept.extend(rest.iter().map(|word| kept(word))),
                    "own" => redaction.own = rest.first().and_then(|word| word.split_once('.')),
                    "search" => redaction.searched.extend(rest),
                    "search-own" => redaction.searched_own.extend(rest),
                    word => return Err(format!("{word} is nothing of a redaction")),
                }
                Ok(())
            }
            Block::Access(row, is_complete) => {
                let role = Role::parse(first).ok_or_else(|| format!("{first} is no role"))?;
                let rules = rest.iter().map(|word| rule(word)).collect::<Parsed<Vec<_>>>()?;
                *is_complete = true;
                match row.rules.insert(role, rules) {
                    None => Ok(()),
                    Some(_) => Err(format!("{role} is there twice")),
                }
            }
        }
    }

    /// The types of every row: those that it names, and those that its names with @ stand for.
    fn resolve(&mut self) -> Parsed<()> {
        let mut named = TypeSet::default();
        for row in &mut self.rows {
            for name in row.names.iter().filter(|name| !name.starts_with('@')) {
                let kind = resource_type(name)?;
                if named.has(kind) {
                    return Err(format!("{kind} is there twice"));
                }
                named.insert(kind);
                row.types.insert(kind);
            }
        }
        for group in ["@canonical", "@patient", "@other"] {
            let row = self.rows.iter_mut().find(|row| row.names.contains(&group));
            let row = row.ok_or_else(|| format!("nothing is said of {group}"))?;
            let others = TypeSet::all().without(named);
            let own: TypeSet = others.iter().filter(|kind| is_of(group, *kind)).collect();
            row.types = row.types.or(own);
            named = named.or(own);
        }
        Ok(())
    }
}

/// Whether a name with @ stands for the type.
fn is_of(group: &str, kind: ResourceType) -> bool {
    match group {
        "@canonical" => r4_parameter(kind, "url").is_some(),
        "@patient" => Definitions::r4()
            .compartment("Patient")
            .is_some_and(|compartment| !compartment.parameters_of(kind).is_empty()),
        _ => true,
    }
}

fn kept(word: &'static str) -> Kept {
    match word.split_once('.') {
        Some((element, condition)) => Kept { element, only: condition.split_once('=') },
        None => Kept { element: word, only: None },
    }
}

/// `rsh:C+S(dir)`
fn rule(word: &'static str) -> Parsed<Rule> {
    let fault = || format!("{word} is no rule");
    let (acts, rest) = word.split_once(':').ok_or_else(fault)?;
    let acts = Acts::parse(acts).ok_or_else(fault)?;
    let (sights, note) = match rest.split_once('(') {
        None => (rest, None),
        Some((sights, note)) => (sights, Some(note.strip_suffix(')').ok_or_else(fault)?)),
    };
    let sights: Option<Vec<Sight>> = sights.split('+').map(Sight::parse).collect();
    let sights = sights.filter(|sights| !sights.is_empty()).ok_or_else(fault)?;
    let is_read = !acts.meets(Acts::CREATE.with(Acts::UPDATE).with(Acts::DELETE));
    match note {
        Some(note) if !is_read && !GUARDS.contains(&note) => {
            Err(format!("{note} is no guard: {}", GUARDS.join(", ")))
        }
        _ => Ok(Rule { acts, sights, note }),
    }
}

/// As in the file: `rsh:C+S(dir)`.
pub fn written(rule: &Rule) -> String {
    let sights: Vec<String> = rule.sights.iter().map(Sight::to_string).collect();
    let note = rule.note.map(|note| format!("({note})")).unwrap_or_default();
    format!("{}:{}{note}", rule.acts, sights.join("+"))
}

/// The rules of a role for a type on one line; empty where it may do nothing.
pub fn render(rules: &[Rule]) -> String {
    rules.iter().map(written).collect::<Vec<_>>().join(" ")
}
