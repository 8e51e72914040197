//! JSON as Matrix signs it: one canonical text, read in place.
//!
//! An event is kept as its canonical text and nothing else: hashes, signatures and redactions are all made by
//! leaving members out of that text, so no tree of values is ever built. [`canonicalize`] makes the text from
//! untrusted input, [`Object`] and [`Value`] read it without copying.
//!
//! [S-S appendices, canonical JSON](https://spec.matrix.org/v1.19/appendices/#canonical-json)

mod canonical;
mod number;
mod slice;
mod stream;
#[cfg(test)]
mod tests;
mod write;

pub use self::{
    canonical::{CanonicalizeError, MAX_DEPTH, Strictness, canonicalize, write_string},
    slice::{Array, Key, Malformed, Object, Value},
    stream::{Part, SplitError, Splitter},
    write::ObjectWriter,
};
