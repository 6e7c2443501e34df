//! From the paths of a suite to files.
