//! chronyd over cmdmon, and other NTP daemons through their own tools.
