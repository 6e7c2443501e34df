//! Element boundaries in a stream of bytes.
