//! FHIRPath N1 (<http://hl7.org/fhirpath/N1/>) with the functions and variables of FHIR
//! (fhirpath.html) and those of the later FHIRPath that the official test suite asks for.
//!
//! [`Expression`] is the whole language, evaluated over borrowed JSON; [`Program`] is the subset
//! that search parameters use, compiled per resource type to straight-line steps. No IO: what
//! only a server knows (value sets, profiles) comes in through [`Knowledge`].

mod check;
mod error;
mod evaluate;
mod expression;
mod function;
mod item;
mod lexer;
mod location;
mod node;
mod parser;
mod path;
mod quantity;
mod reference;
#[cfg(test)]
mod suite;
mod temporal;

pub use error::{ErrorClass, FhirPathError};
pub use evaluate::{Context, Knowledge, Mode};
pub use expression::Expression;
pub use item::{Item, System};
pub use location::{Location, Step, locate};
pub use node::Node;
pub use path::{Program, Root};
pub use quantity::Quantity;
pub use reference::referenced_type;
pub use temporal::{Precision, Temporal, TemporalKind};

/// Bytes of one expression.
const MAX_LENGTH: usize = 16 << 10;
/// Nesting of parentheses, brackets and arguments.
const MAX_NESTING: usize = 64;
/// Operators and paths on the longest way through the tree: what a thread's stack must hold.
const MAX_DEPTH: usize = 128;
/// Items that one evaluation may touch.
const MAX_STEPS: u32 = 100_000;
