//! Stations, radio links and routes.
