//! Telling others what happened in the queue: webhooks.
