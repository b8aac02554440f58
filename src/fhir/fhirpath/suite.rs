//! Official suite.
