//! Datagrams: what is lost stays lost.
