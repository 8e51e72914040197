//! Matrix itself, pure: no I/O, no clock, no platform.
