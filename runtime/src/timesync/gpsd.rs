//! gpsd, for receivers with a pulse.
