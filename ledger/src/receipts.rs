//! Receipts: that an answer is in the log, in a form that anybody can check without the bank.
//!
//! A [`leaf`] binds an answer: to its request, its time, its place and all that was before it. [`tree`] keeps the Merkle
//! tree over all leaves, behind the writing, and signs its root as a [`note`]. A receipt ([`document`]) is one leaf, the
//! hashes from there to a signed root, and as much of the answer as its holder may see. Who holds one can check that the log
//! has only grown since ([`growth`]).

pub mod leaf;
pub mod note;
pub mod shared;

pub mod key;

pub mod document;
pub mod growth;

pub(crate) mod tree;
