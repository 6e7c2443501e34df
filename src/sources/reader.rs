//! Files to batches of whole elements, in order, in bounded memory.
