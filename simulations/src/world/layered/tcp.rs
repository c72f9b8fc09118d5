//! TCP, as far as it matters to whoever waits for a message.
